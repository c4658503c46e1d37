"""What came of the events: `metrics`, `ledger`, `sql`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Any, cast

import click

from activity_pipeline.cli.options import DAYS_OPTION
from activity_pipeline.cli.output import (
    json_option,
    print_json,
    print_pairs,
    print_rows,
    shown_days,
)
from activity_pipeline.settings import load_settings


@click.command()
@DAYS_OPTION
@json_option
def metrics(days: tuple[date, date] | None, as_json: bool) -> None:
    """Recompute the metrics of days that changed, then show those of the last week.

    Example: activity-pipeline metrics --days 2026-03-01..2026-03-31
    """
    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.analyst.views import publish_views
    from activity_pipeline.hot.connection import open_hot
    from activity_pipeline.hot.results import read_table, stale_days
    from activity_pipeline.local.services import services
    from activity_pipeline.metrics import refresh_metrics

    with services(load_settings()) as settings, open_hot(settings.postgres_dsn) as (statements, bulk):
        store = ArchiveStore(settings.archive_root)
        if stale := stale_days(statements, "metrics"):
            refresh_metrics(statements, bulk, store, stale)
            publish_views(store)
        first, last = shown_days(days)
        rows = read_table(bulk, "activity_metrics_daily", first, last).to_pylist()
    print_rows(f"metrics {first} to {last}, {len(stale):,} days recomputed", rows, as_json)


@click.command()
@click.option("--by", type=click.Choice(["producer", "day"]), help="Also each producer, or each day.")
@DAYS_OPTION
@json_option
@click.pass_context
def ledger(context: click.Context, by: str | None, days: tuple[date, date] | None, as_json: bool) -> None:
    """Account for every event; exit 1 where the residual is not 0.

    By producer: what it issued by its sequence numbers, what it declared as dropped and why, and which
    numbers are missing. By day: what arrived, what was stored and where it is now.

    Example: activity-pipeline ledger --by producer
    """
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.hot.ledger import read_days, read_ledger, read_producers
    from activity_pipeline.local.services import services

    if days and by != "day":
        raise click.UsageError("--days goes with --by day")
    rows: list[dict[str, Any]] = []
    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        total = read_ledger(statements)
        if by == "producer":
            rows = [asdict(each) for each in read_producers(statements)]
        elif by == "day":
            rows = [{**asdict(each), "difference": each.difference} for each in read_days(statements, days)]
    if as_json:
        print_json({**total.as_dict(), **({f"{by}s": rows} if by else {})})
    else:
        t = total
        click.echo(
            f"issued    {t.issued:,} + redelivered {t.redelivered:,} = received {t.received:,} "
            f"+ dropped {t.dropped:,} + missing {t.missing:,}\n"
            f"received  {t.received:,} = inserted {t.inserted:,} + duplicate {t.duplicate:,} "
            f"+ dead-lettered {t.dead_lettered:,}\n"
            f"inserted  {t.inserted_by_day:,} = hot {t.hot:,} + late {t.late:,} + archived {t.archived:,} "
            f"+ erased {t.erased:,}\n"
            f"residual  {t.residual:,}"
        )
        if t.residual:
            print_pairs("what differs", {name: n for name, n in t.differences.items() if n})
        if by:
            print_rows(f"by {by}", [_readable(row) for row in rows], as_json=False)
    context.exit(1 if total.residual else 0)


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    """Write out what is neither a word nor a number, and leave out what a person does not look for."""
    shown = {name: value for name, value in row.items() if name != "first_seen"}
    if "last_seen" in shown:
        shown["last_seen"] = row["last_seen"].isoformat(sep=" ", timespec="seconds")
        shown["drop_reasons"] = ", ".join(f"{reason} {n:,}" for reason, n in row["drop_reasons"].items())
    return shown


@click.command()
@click.argument("query", required=False)
@click.option(
    "--views", is_flag=True, help="Print the script that makes the views, for a DuckDB of your own."
)
@json_option
def sql(query: str | None, views: bool, as_json: bool) -> None:
    """Run DuckDB over the archive.

    Views: activity_logs (cold events; filter by its `date` where you can), activity_metrics_daily,
    activity_anomalies_daily, activity_archive_days. They are those of activity.duckdb in the archive.

    Example: activity-pipeline sql "select source, count(*) from activity_logs group by all"
    """
    import duckdb

    from activity_pipeline.archive import ArchiveStore, open_duckdb
    from activity_pipeline.archive.analyst.views import views_sql

    root = load_settings().archive_root
    if views:
        click.echo(views_sql(ArchiveStore(root)))
        return
    if not query:
        raise click.UsageError("a query is needed, or --views")
    with open_duckdb(root) as connection:
        relation = cast(duckdb.DuckDBPyRelation | None, connection.sql(query))
        if relation is None:  # a statement that answers nothing, such as SET
            return
        if as_json:
            columns = relation.columns
            print_json([dict(zip(columns, row, strict=True)) for row in relation.fetchall()])
        else:
            click.echo(str(relation))


COMMANDS = [metrics, ledger, sql]
