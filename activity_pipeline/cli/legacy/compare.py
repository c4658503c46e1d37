"""`legacy compare`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from activity_pipeline.cli.legacy.options import DSN, OVERRIDES, application_dsn, overrides_path
from activity_pipeline.cli.output import count_bar, json_option, print_json, print_pairs, print_table
from activity_pipeline.settings import load_settings

if TYPE_CHECKING:
    from activity_pipeline.legacy.compare import Report

SINCE = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command("compare")
@DSN
@OVERRIDES
@click.option("--since", type=SINCE, help="From when on, UTC; default: the beginning of yesterday.")
@click.option(
    "--window", type=click.IntRange(1), default=60, show_default=True, help="Minutes that are read at a time."
)
@click.option(
    "--skew",
    type=click.FloatRange(0),
    default=300.0,
    show_default=True,
    help="Seconds that a row and its event may lie apart.",
)
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=300.0,
    show_default=True,
    help="Seconds that an event may take to arrive; later windows are left for the next time.",
)
@json_option
@click.pass_context
def legacy_compare(
    context: click.Context,
    dsn: str | None,
    overrides: Path | None,
    since: datetime | None,
    window: int,
    skew: float,
    grace: float,
    as_json: bool,
) -> None:
    """Compare audit rows with events, change by change, and keep the parity of each table and day.

    Exit 1 where something is missing, extra or different. Full parity opens the gate of `legacy cutover`.

    Example: activity-pipeline legacy compare --since 2026-03-01
    """
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.legacy import compare as kit
    from activity_pipeline.legacy.inventory import read_overrides
    from activity_pipeline.local.services import services

    settings = load_settings()
    address = application_dsn(settings, dsn)
    spans = kit.Spans(timedelta(minutes=window), timedelta(seconds=skew), timedelta(seconds=grace))
    first = since.replace(tzinfo=UTC) if since else kit.yesterday()
    said = read_overrides(overrides_path(settings, overrides))
    with (
        services(settings) as complete,
        connect(complete.postgres_dsn) as ours,
        connect(address) as application,
        count_bar("compared") as update,
    ):
        until = kit.settled_until(application, kit.waiting_s(complete, application), spans)
        total = max(int((until - first) / spans.window), 0)
        scope = kit.read_scope(application, said)
        report = kit.compare(
            application,
            ours,
            scope,
            first,
            until,
            spans=spans,
            progress=lambda end: update(int((end - first) / spans.window), total),
        )
    if as_json:
        print_json(_figures(report))
    else:
        _print(report)
    context.exit(0 if report.is_full else 1)


def _figures(report: Report) -> dict[str, Any]:
    return {
        "judged_until": report.judged_until,
        **report.totals,
        "in_summaries": report.summarised,
        "tables": report.rows(),
        "columns": [
            {"table": table, "column": column, "changes": changes}
            for (table, column), changes in report.columns.most_common()
        ],
        "samples": [asdict(pair) for pair in report.samples],
    }


def _print(report: Report) -> None:
    figures = _figures(report)
    print_table("parity by day and table", figures["tables"], empty="nothing was changed")
    if figures["columns"]:
        print_table("columns that differ", figures["columns"])
    if report.samples:
        names = ("kind", "table_name", "operation", "key", "txid", "at", "columns", "rows")
        print_table("some of them", [{name: row[name] for name in names} for row in figures["samples"]])
    print_pairs("", {**report.totals, "judged until": report.judged_until})


COMMANDS = [legacy_compare]
