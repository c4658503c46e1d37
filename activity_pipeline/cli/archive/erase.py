"""`archive erase`, `archive erasures` and `archive hold`."""

from __future__ import annotations

import getpass
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING, Any, TypeVar, get_args
from uuid import UUID

import click

from activity_pipeline.cli.options import DaysType
from activity_pipeline.cli.output import count_bar, human_bytes, json_option, print_json, print_table
from activity_pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from activity_pipeline.archive.days.erase import Erased
    from activity_pipeline.events.subject import Subject
    from activity_pipeline.hot.connection import Statements
    from activity_pipeline.hot.holds import Hold

Command = TypeVar("Command", bound=Callable[..., Any])


def _about(command: Command) -> Command:
    entity = click.option("--entity", nargs=2, metavar="TYPE ID", help="All events of this entity.")
    return click.option("--user", type=click.UUID, help="All events of this user.")(entity(command))


_BY = click.option(
    "--by", default=getpass.getuser, show_default="the user of this system", help="Who says so."
)


def _reason(help_: str) -> Callable[[Command], Command]:
    return click.option("--reason", required=True, callback=_said, help=help_)


def _said(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not value.strip():
        raise click.BadParameter("say why")
    return value


def _subject(user: UUID | None, entity: tuple[str, str] | None) -> Subject | None:
    from activity_pipeline.events.subject import Subject

    if user:
        return Subject.user(user)
    return Subject.entity(*entity) if entity else None


@contextmanager
def _postgres() -> Iterator[tuple[Settings, Statements]]:
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        yield settings, statements


@click.command()
@_about
@click.option("--reason", default="", help="Why, for the receipt; must not name the subject.")
@_BY
@click.option("--dry-run", is_flag=True, help="Tell what there is, and change nothing.")
@json_option
def erase(
    user: UUID | None, entity: tuple[str, str] | None, reason: str, by: str, dry_run: bool, as_json: bool
) -> None:
    """Erase all events of a user or an entity: from Postgres, the dead letters and every archived file.

    A receipt in the archive says what was taken from where, and whom it was about to those alone who
    know it. What waits in queues, outboxes and spools is named: drain it and erase again. After a
    crash, run the same command again. Exit 1 where a legal hold forbids it.

    Example: activity-pipeline archive erase --user 0198c2f0-8a5e-7cc0-b0d1-3f2a9e5b7c11 --dry-run
    """
    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.analyst.views import publish_views
    from activity_pipeline.archive.chain.signing import load_signer
    from activity_pipeline.archive.days import erase as erasure
    from activity_pipeline.archive.days.waiting import Sources

    subject = _subject(user, entity)
    if subject is None or (user and entity):
        raise click.UsageError("say whom: either --user UUID or --entity TYPE ID")
    with _postgres() as (settings, statements):
        store = ArchiveStore(settings.archive_root)
        look = Sources(
            settings.postgres_dsn,
            settings.redis_url,
            settings.queue_shards,
            settings.outbox_dsns or (settings.postgres_dsn,),
            settings.spool_path,
        ).look
        if dry_run:
            erased = erasure.preview(statements, store, subject, look)
        else:
            signer = load_signer(settings.archive_signing_key)
            with count_bar("writing files") as progress:
                erased = erasure.erase(
                    statements,
                    store,
                    erasure.Request(subject, reason, by),
                    look,
                    signer,
                    progress=progress,
                )
            if erased.files:
                publish_views(store)
    _print_erased(erased, dry_run=dry_run, as_json=as_json)


def _print_erased(erased: Erased, *, dry_run: bool, as_json: bool) -> None:
    from activity_pipeline.hot.subjects import COPIES, Place

    rows: Counter[str] = Counter()
    days: Counter[str] = Counter()
    for found in erased.found:
        rows[found.place] += found.rows
        days[found.place] += 1
    places = [
        {
            "place": place.replace("_", " ") + (" (copies)" if place in COPIES else ""),
            "days": days[place],
            "rows": rows[place],
            "files": len(erased.files) if place == "archive" else 0,
        }
        for place in get_args(Place)
        if rows[place]
    ]
    waiting = [
        {
            "place": each.place,
            "entries": each.entries,
            "bytes": each.size_bytes,
            "mentions": each.mentions,
            "fault": each.fault,
        }
        for each in erased.waiting
    ]
    if as_json:
        print_json({"dry_run": dry_run, "places": places, "waiting": waiting, "receipt": erased.receipt})
        return
    print_table("would be erased" if dry_run else "erased", places, empty="nothing is stored of it")
    if waiting:
        shown = [
            {**row, "bytes": human_bytes(each.size_bytes)}
            for row, each in zip(waiting, erased.waiting, strict=True)
        ]
        print_table("not looked into: drain it, then erase again", shown)
    if erased.receipt:
        click.echo(f"receipt: {erased.receipt}")
    if places and not dry_run:
        click.echo("the days' metrics are out of date: activity-pipeline metrics recomputes them")


@click.command("erasures")
@json_option
def erasures_(as_json: bool) -> None:
    """List the erasures, done or interrupted; an interrupted one waits for the same command.

    Example: activity-pipeline archive erasures
    """
    from activity_pipeline.hot.erasures import list_erasures, totals
    from activity_pipeline.hot.subjects import COPIES

    with _postgres() as (_, statements):
        known, taken = list_erasures(statements), totals(statements)
    rows = [
        {
            "id": each.id,
            "kind": each.kind,
            "requested_at": each.requested_at,
            "by": each.requested_by,
            "reason": each.reason,
            "rows": sum(rows for place, rows in taken.get(each.id, {}).items() if place not in COPIES),
            "finished_at": each.finished_at,
            "receipt": each.receipt,
        }
        for each in known
    ]
    if as_json:
        print_json(rows)
    else:
        print_table(f"{len(rows):,} erasures", rows, empty="none")


@click.group()
def hold() -> None:
    """Legal holds: what must not be erased."""


@hold.command()
@_about
@click.option("--days", type=DaysType(), help="All events of these days: 2026-03-01..2026-03-31.")
@_reason("Why; whoever is refused an erasure reads it.")
@_BY
@json_option
def add(
    user: UUID | None,
    entity: tuple[str, str] | None,
    days: tuple[date, date] | None,
    reason: str,
    by: str,
    as_json: bool,
) -> None:
    """Hold the events of a user, an entity, or of some days: no erasure touches them.

    Example: activity-pipeline archive hold add --days 2026-03-01..2026-03-31 --reason "case 4711"
    """
    from activity_pipeline.hot.holds import add_hold

    held = _subject(user, entity) or days
    if held is None or sum(map(bool, (user, entity, days))) > 1:
        raise click.UsageError("say what is held: one of --user, --entity and --days")
    with _postgres() as (_, statements):
        added = add_hold(statements, held, reason=reason, by=by)
    _print_holds([added], as_json)


@hold.command("list")
@click.option("--all", "removed", is_flag=True, help="Those that were removed, too.")
@json_option
def list_(removed: bool, as_json: bool) -> None:
    """List the holds in force.

    Example: activity-pipeline archive hold list --all
    """
    from activity_pipeline.hot.holds import list_holds

    with _postgres() as (_, statements):
        holds = list_holds(statements, removed=removed)
    _print_holds(holds, as_json)


@hold.command()
@click.argument("hold_id", metavar="ID", type=int)
@_reason("Why it ends.")
@_BY
@json_option
def remove(hold_id: int, reason: str, by: str, as_json: bool) -> None:
    """End a hold; it stays on record.

    Example: activity-pipeline archive hold remove 3 --reason "case 4711 is closed"
    """
    from activity_pipeline.hot.holds import remove_hold

    with _postgres() as (_, statements):
        removed = remove_hold(statements, hold_id, reason=reason, by=by)
    _print_holds([removed], as_json)


def _print_holds(holds: list[Hold], as_json: bool) -> None:
    rows = [
        {
            "id": each.id,
            "held": each.user_id
            or (
                f"{each.first_day}..{each.last_day}"
                if each.first_day
                else f"{each.entity_type} {each.entity_id}"
            ),
            "reason": each.reason,
            "by": each.held_by,
            "since": each.held_since,
            "removed_at": each.removed_at,
            "removed_by": each.removed_by,
            "removed_reason": each.removed_reason,
        }
        for each in holds
    ]
    if as_json:
        print_json(rows)
    else:
        print_table("legal holds", rows, empty="none")


COMMANDS = [erase, erasures_, hold]
