"""`legacy cutover` and `legacy rollback`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from activity_pipeline.cli.legacy.options import (
    DSN,
    FOLDER,
    application_dsn,
    parity_window,
    phase_option,
    plan_folder,
)
from activity_pipeline.cli.options import DAYS_OPTION
from activity_pipeline.cli.output import count_bar, json_option, print_json, print_pairs, print_table
from activity_pipeline.settings import load_settings

if TYPE_CHECKING:
    from activity_pipeline.legacy.cutover import Changed, Patience, Preview

LOCK = click.option(
    "--lock-timeout",
    type=click.FloatRange(0.001),
    default=2.0,
    show_default=True,
    help="Seconds that an attempt waits for a table; all its writers wait behind.",
)
ATTEMPTS = click.option(
    "--attempts", type=click.IntRange(1), default=20, show_default=True, help="Attempts for each table."
)


@click.command()
@phase_option
@DSN
@FOLDER
@DAYS_OPTION
@LOCK
@ATTEMPTS
@click.option("--allow-idle", is_flag=True, help="Tables that nothing was compared of may go, too.")
@click.option("--install", is_flag=True, help="Make the schema activity_legacy for the records, if missing.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and what is in the way.")
@json_option
@click.pass_context
def cutover(
    context: click.Context,
    phase: int,
    dsn: str | None,
    folder: Path | None,
    days: tuple[date, date] | None,
    lock_timeout: float,
    attempts: int,
    allow_idle: bool,
    install: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Drop the triggers of a phase, table by table, where events told all they told in the last full week.

    What is done is recorded in the same transaction. After a crash, the same again does what is left.

    Example: activity-pipeline legacy cutover --phase 1 --days 2026-03-01..2026-03-07
    """
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.legacy import cutover as kit
    from activity_pipeline.legacy.plan import read_plan
    from activity_pipeline.local.services import services

    settings = load_settings()
    address = application_dsn(settings, dsn)
    request = kit.Request(read_plan(plan_folder(settings, folder)), phase, parity_window(days), allow_idle)
    with (
        services(settings) as complete,
        connect(complete.postgres_dsn) as ours,
        connect(address) as application,
    ):
        source = kit.StoredParity(ours)
        if dry_run:
            context.exit(_previewed(kit.preview(application, request, source), as_json))
        if install:
            kit.install(application)
        steps = kit.cutover(application, request, source, _patience(lock_timeout, attempts))
        _show(f"phase {phase}: dropped", steps, len(request.tables), as_json)


@click.command()
@phase_option
@DSN
@LOCK
@ATTEMPTS
@click.option("--uninstall", is_flag=True, help="Then drop the schema activity_legacy, too.")
@json_option
def rollback(
    phase: int, dsn: str | None, lock_timeout: float, attempts: int, uninstall: bool, as_json: bool
) -> None:
    """Make the triggers of a phase again exactly as they were, at any time.

    It needs neither plan nor parity. After a crash, the same again does what is left.

    Example: activity-pipeline legacy rollback --phase 2
    """
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.legacy import cutover as kit

    with connect(application_dsn(load_settings(), dsn)) as application:
        gone = [each for each in kit.read_dropped(application) if each.phase == phase]
        steps = kit.rollback(application, phase, _patience(lock_timeout, attempts))
        _show(f"phase {phase}: made again", steps, len({each.table_name for each in gone}), as_json)
        if uninstall:
            kit.uninstall(application)


def _patience(lock_timeout_s: float, attempts: int) -> Patience:
    from activity_pipeline.legacy.cutover import Patience

    return Patience(timedelta(seconds=lock_timeout_s), attempts)


def _previewed(seen: Preview, as_json: bool) -> int:
    figures: dict[str, Any] = {"waits_for": seen.waits_for, "shut": seen.shut, "triggers": seen.triggers}
    if as_json:
        print_json(figures)
    else:
        rows = [{"table": name, "triggers": ", ".join(names)} for name, names in seen.triggers.items()]
        print_table("would be dropped", rows)
        print_pairs("in the way" if seen.shut else "nothing is in the way", seen.shut)
        if seen.waits_for:
            click.echo(f"phase {seen.waits_for[0]} comes first")
    return 1 if seen.shut or seen.waits_for else 0


def _show(title: str, steps: Iterator[Changed], total: int, as_json: bool) -> None:
    rows: list[dict[str, Any]] = []
    with count_bar(title) as update:
        for done, each in enumerate(steps, start=1):
            update(done, total)
            rows.append(
                {
                    "table": each.table_name,
                    "triggers": len(each.triggers),
                    "attempts": each.attempts,
                    "locked ms": round(each.locked_ms, 1),
                }
            )
    if as_json:
        print_json({"tables": rows, "triggers": sum(row["triggers"] for row in rows)})
    else:
        print_table(title, rows, empty="nothing was left to do")


COMMANDS = [cutover, rollback]
