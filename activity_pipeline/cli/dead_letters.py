"""`dead-letters`: what was refused, why, and how it gets in after all."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from activity_pipeline.cli.options import DAYS_OPTION
from activity_pipeline.cli.output import json_option, print_json, print_pairs, print_table
from activity_pipeline.errors import ActivityError
from activity_pipeline.events.model import REASON_TEXT, DeadLetterReason, explain
from activity_pipeline.settings import Settings, load_settings

if TYPE_CHECKING:
    from activity_pipeline.hot.connection import Statements
    from activity_pipeline.hot.dead_letters import Selection
    from activity_pipeline.ingest.replay import ReplayReport

Command = TypeVar("Command", bound=Callable[..., Any])
START_BYTES = 60
MOST_REFUSED = 20


@click.group("dead-letters")
def dead_letters() -> None:
    """Events that were refused."""


def _selecting(command: Command) -> Command:
    reasons = click.Choice([reason.value for reason in DeadLetterReason])
    command = click.option("--producer", "producer_id", help="Only those of this producer.")(command)
    command = DAYS_OPTION(command)
    return click.option("--reason", "reasons", multiple=True, type=reasons, help="Only for this reason.")(
        command
    )


def _selection(
    *,
    reasons: tuple[str, ...],
    days: tuple[date, date] | None,
    producer_id: str | None,
    ids: tuple[int, ...] = (),
    state: str = "open",
) -> Selection:
    from activity_pipeline.hot.dead_letters import Selection

    return Selection(
        ids=ids or None,
        reasons=[DeadLetterReason(reason) for reason in reasons] or None,
        days=days,
        producer_id=producer_id,
        state=None if state == "any" else state,  # type: ignore[arg-type]  # click has checked it
    )


@contextmanager
def _postgres() -> Iterator[tuple[Settings, Statements]]:
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        yield settings, statements


@dead_letters.command("list")
@_selecting
@click.option(
    "--state",
    type=click.Choice(["open", "replayed", "erased", "any"]),
    default="open",
    show_default=True,
    help="What became of them.",
)
@click.option("--limit", type=click.IntRange(1), default=50, show_default=True, help="How many at the most.")
@json_option
def list_(as_json: bool, limit: int, **selected: Any) -> None:
    """Show dead letters, newest first, and how many there are for each reason.

    Example: activity-pipeline dead-letters list --reason not_allowed --days 2026-03-01..2026-03-31
    """
    from activity_pipeline.hot.dead_letters import count_by_reason, read_dead_letters

    selection = _selection(**selected)
    with _postgres() as (_, statements):
        counts = count_by_reason(statements, selection)
        shown = list(read_dead_letters(statements, selection, limit=limit, line_bytes=START_BYTES))
    rows = [
        {
            "id": letter.id,
            "received_at": letter.received_at.isoformat(timespec="seconds"),
            "reason": letter.reason,
            "producer": letter.producer_id,
            "events": letter.event_count,
            "bytes": letter.size_bytes,
            "start": _text(letter.line),
        }
        for letter in shown
    ]
    if as_json:
        print_json({"reasons": counts, "dead_letters": rows})
        return
    print_table(f"{sum(row['letters'] for row in counts):,} dead letters", rows, empty="none")
    if counts:
        by_reason = [
            {
                "reason": row["reason"],
                "letters": row["letters"],
                "events": row["events"],
                "why": explain(row["reason"]),
            }
            for row in counts
        ]
        print_table("by reason", by_reason)


@dead_letters.command()
@click.argument("letter_id", metavar="ID", type=int)
@json_option
def show(letter_id: int, as_json: bool) -> None:
    """Show all of one dead letter, with what its reason means and its bytes.

    Example: activity-pipeline dead-letters show 12
    """
    from activity_pipeline.events.frame import unpack_other_fields
    from activity_pipeline.hot.dead_letters import Selection, read_dead_letters

    with _postgres() as (_, statements):
        found = list(read_dead_letters(statements, Selection(ids=[letter_id], state=None)))
    if not found:
        raise ActivityError(f"there is no dead letter {letter_id}")
    (letter,) = found
    figures = {**asdict(letter), "why": explain(letter.reason), "line": _text(letter.line)}
    others = unpack_other_fields(letter.other_fields) if letter.other_fields else {}
    figures["other_fields"] = {_text(name): _text(value) for name, value in others.items()}
    if as_json:
        print_json(figures)
    else:
        print_pairs(f"dead letter {letter_id}", figures)


@dead_letters.command()
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path))
@_selecting
@json_option
def export(file: Path, as_json: bool, **selected: Any) -> None:
    """Write open dead letters to a new file to be mended, one JSON object a line; - is the standard output.

    A line that is JSON stands there as "event", any other as "line"; mend it, remove the lines that
    cannot be mended, and give the file to replay. No byte of what was refused is lost on the way.

    Example: activity-pipeline dead-letters export mend.ndjson --reason bad_timestamp
    """
    from activity_pipeline.hot.dead_letters import read_dead_letters
    from activity_pipeline.ingest.mending import write_letter

    written = 0
    with _postgres() as (_, statements), _private(file) as output:
        for letter in read_dead_letters(statements, _selection(**selected)):
            output.write(write_letter(letter) + b"\n")
            written += 1
    if as_json and str(file) != "-":
        print_json({"file": str(file), "dead_letters": written})
    else:
        click.echo(f"{written:,} dead letters written", err=True)


@contextmanager
def _private(file: Path) -> Iterator[IO[bytes]]:
    """Open a new file that its owner alone may read, or the standard output; a mended one stays as it is."""
    if str(file) == "-":
        yield sys.stdout.buffer
        return
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as output:
        yield output


@dead_letters.command()
@click.argument("ids", nargs=-1, type=int)
@_selecting
@click.option("--input", "input_", type=click.File("rb"), help="Mended lines, as export writes them.")
@json_option
@click.pass_context
def replay(
    context: click.Context, /, ids: tuple[int, ...], input_: IO[bytes] | None, as_json: bool, **selected: Any
) -> None:
    """Judge dead letters by today's rules and store those that pass; all open ones by default.

    An event keeps its id and timestamp; one that was sent without gets those that it would have been
    given. Exit 1 where some stay open.

    Example: activity-pipeline dead-letters replay --reason not_allowed
    """
    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.files.known import KnownEvents
    from activity_pipeline.ingest.mending import read_mended
    from activity_pipeline.ingest.replay import ReplayConfig, replay_mended, replay_stored
    from activity_pipeline.ingest.reporting import report_new_rows
    from activity_pipeline.local.services import services

    if input_ and (ids or any(selected.values())):
        raise click.UsageError("--input says itself which dead letters it mends")
    with services(load_settings()) as settings:
        config = ReplayConfig.of(settings)
        known = KnownEvents(ArchiveStore(settings.archive_root))
        if input_:
            report = replay_mended(config, read_mended(input_), known)
        else:
            report = replay_stored(config, _selection(ids=ids, **selected), known)
        reported = report_new_rows(settings, report.new_rows)
    _print_replay(report, reported, as_json)
    context.exit(1 if report.refused or report.not_open else 0)


def _print_replay(report: ReplayReport, reported: bool, as_json: bool) -> None:
    figures = {
        "replayed": report.replayed,
        "inserted": sum(report.inserted.values()),
        "duplicate": sum(report.duplicate.values()),
        "new_dead_letters": report.new_letters,
        "stay_open": len(report.refused),
        "days": len(report.touched_days),
    }
    if as_json:
        print_json({**figures, "refused": report.refused, "not_open": report.not_open})
        return
    print_pairs("replayed", figures)
    rows = [{"id": number, "why": explain(reason)} for number, reason in report.refused.items()]
    if rows:
        print_table("still open", rows[:MOST_REFUSED])
    if len(rows) > MOST_REFUSED:
        click.echo(f"… and {len(rows) - MOST_REFUSED:,} more: --json prints them all")
    if report.not_open:
        click.echo(f"not open: {', '.join(map(str, report.not_open))}")
    if report.touched_days and not reported:
        click.echo("Dagster was not told: activity-pipeline metrics recomputes the days")


@dead_letters.command()
@json_option
def reasons(as_json: bool) -> None:
    """List the reasons; there are no others.

    Example: activity-pipeline dead-letters reasons
    """
    rows = [{"reason": reason.value, "why": text} for reason, text in REASON_TEXT.items()]
    if as_json:
        print_json(rows)
    else:
        print_table("reasons", rows)


def _text(line: bytes) -> str:
    return line.decode(errors="backslashreplace")


COMMANDS = [dead_letters]
