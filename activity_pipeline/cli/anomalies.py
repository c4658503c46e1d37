"""`anomalies`, and what people say of them: `ack`, `mute`, `unmute`, `mutes`."""

from __future__ import annotations

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from activity_pipeline.cli.options import DAYS_OPTION, TtlType
from activity_pipeline.cli.output import json_option, print_json, print_rows, print_table, shown_days
from activity_pipeline.settings import load_settings

if TYPE_CHECKING:
    from uuid import UUID

    from activity_pipeline.hot.connection import Statements
    from activity_pipeline.hot.judgements import Mute

BY = click.option(
    "--by", default=getpass.getuser, show_default="the user of this system", help="Who says so."
)
KIND = click.option("--kind", help="Of this kind alone: spike, drop, failure_rate, …")


USER = click.option("--user", type=click.UUID, help="Those of this user, instead of a source.")


@click.group(invoke_without_command=True)
@DAYS_OPTION
@json_option
@click.pass_context
def anomalies(context: click.Context, /, days: tuple[date, date] | None, as_json: bool) -> None:
    """Judge days whose metrics changed, then show what was unusual in the last week.

    Example: activity-pipeline anomalies --days 2026-03-01..2026-03-31
    """
    if context.invoked_subcommand is None:
        _show(days, as_json)


def _show(days: tuple[date, date] | None, as_json: bool) -> None:
    from activity_pipeline.anomalies.refresh import refresh_anomalies
    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.analyst.views import publish_views
    from activity_pipeline.hot.connection import open_hot
    from activity_pipeline.hot.judgements import list_anomalies
    from activity_pipeline.hot.results import stale_days
    from activity_pipeline.local.services import services
    from activity_pipeline.metrics import refresh_metrics

    with services(load_settings()) as settings, open_hot(settings.postgres_dsn) as (statements, bulk):
        store = ArchiveStore(settings.archive_root)
        if stale := stale_days(statements, "metrics"):
            refresh_metrics(statements, bulk, store, stale)
        if judged := stale_days(statements, "anomalies"):
            refresh_anomalies(statements, bulk, store, judged)
            publish_views(store)
        first, last = shown_days(days)
        rows = [asdict(each) for each in list_anomalies(statements, first, last)]
    if not as_json:
        rows = [
            {
                "date": row["date"],
                "severity": "muted" if row["muted"] else row["severity"],
                "sentence": row["sentence"],
                "seen by": row["acknowledged_by"],
            }
            for row in rows
        ]
    print_rows(f"anomalies {first} to {last}, {len(judged):,} days judged anew", rows, as_json)


@anomalies.command()
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), required=True, help="The day.")
@click.option("--source", default="", help="The source.")
@click.option("--action", default="", help="The action; without it the source as a whole.")
@USER
@KIND
@BY
@click.option("--note", default="", help="What you found.")
@json_option
def ack(
    day: datetime,
    source: str,
    action: str,
    user: UUID | None,
    kind: str | None,
    by: str,
    note: str,
    as_json: bool,
) -> None:
    """Note that you have looked at an anomaly; it stays so when the day is judged anew.

    Example: activity-pipeline anomalies ack --day 2026-03-03 --source shop --action paid --note "a sale"
    """
    from activity_pipeline.hot.judgements import acknowledge

    named = _subject(source, user)
    with _postgres() as statements:
        noted = acknowledge(statements, day.date(), source, action, user=named, kind=kind, by=by, note=note)
    if as_json:
        print_json({"acknowledged": noted})
    else:
        click.echo(f"{noted} acknowledged")


@anomalies.command()
@click.option("--source", default="", help="Anomalies of this source.")
@click.option("--action", help="Of this action alone.")
@USER
@KIND
@click.option(
    "--for",
    "ttl",
    type=TtlType("to end a mute early there is `anomalies unmute`"),
    default="7d",
    show_default=True,
    help="For how long.",
)
@BY
@click.option("--reason", required=True, help="Why.")
@json_option
def mute(
    source: str,
    action: str | None,
    user: UUID | None,
    kind: str | None,
    ttl: timedelta,
    by: str,
    reason: str,
    as_json: bool,
) -> None:
    """Mute anomalies for a while: they are stored, and nobody is told of them.

    Example: activity-pipeline anomalies mute --source shop --for 2w --reason "load test"
    """
    from activity_pipeline.hot import judgements

    named = _subject(source, user)
    with _postgres() as statements:
        until = datetime.now(UTC) + ttl
        muted = judgements.mute(
            statements, source, action=action, user=named, kind=kind, until=until, by=by, reason=reason
        )
    _print_mutes([muted], as_json)


@anomalies.command()
@click.argument("number", type=click.IntRange(1))
@BY
@json_option
def unmute(number: int, by: str, as_json: bool) -> None:
    """End a mute early.

    Example: activity-pipeline anomalies unmute 3
    """
    from activity_pipeline.hot import judgements

    with _postgres() as statements:
        ended = judgements.unmute(statements, number, by=by)
    _print_mutes([ended], as_json)


@anomalies.command()
@json_option
def mutes(as_json: bool) -> None:
    """List the mutes in force.

    Example: activity-pipeline anomalies mutes
    """
    from activity_pipeline.hot.judgements import list_mutes

    with _postgres() as statements:
        known = list_mutes(statements)
    _print_mutes(known, as_json)


def _subject(source: str, user: UUID | None) -> str:
    """Return the user's id, empty where a source is meant."""
    if bool(source) == (user is not None):
        raise click.UsageError("name a --source or a --user")
    return str(user) if user else ""


@contextmanager
def _postgres() -> Iterator[Statements]:
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        yield statements


def _print_mutes(known: list[Mute], as_json: bool) -> None:
    rows: list[dict[str, Any]] = [asdict(each) for each in known]
    if as_json:
        print_json(rows)
    else:
        print_table("mutes", rows, empty="none")


COMMANDS = [anomalies]
