"""Recomputing the metrics of days, from wherever their events live."""

from __future__ import annotations

import calendar
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.archive.analyst.results import write_month
from activity_pipeline.archive.chain.index import entries_of
from activity_pipeline.archive.files.within import within
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.hot import days as hot
from activity_pipeline.hot import results
from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.hot.reader import counted_columns
from activity_pipeline.metrics.daily import count_daily

TABLE: results.ResultTable = "activity_metrics_daily"


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh did.

    Attributes:
        days: Days computed, in order.
        rows_by_day: Rows of their metrics.
        events: Events that those rows count, by day.
    """

    days: list[date]
    rows_by_day: Counter[date] = field(default_factory=Counter)
    events: Counter[date] = field(default_factory=Counter)


def refresh_metrics(
    statements: Statements, bulk: BulkConnection, store: ArchiveStore, days: Sequence[date]
) -> RefreshReport:
    """Recompute the metrics of days and replace them, in Postgres and beside the archive.

    A day that moves from Postgres to Parquet while it is read would be counted twice or not at all,
    so the days are looked at again afterwards and those that moved are read anew.
    """
    with results.one_at_a_time(statements, "metrics"):
        return _refresh(statements, bulk, store, days)


def _refresh(
    statements: Statements, bulk: BulkConnection, store: ArchiveStore, days: Sequence[date]
) -> RefreshReport:
    todo = {day.day: day for day in hot.list_days(statements, days)}
    report = RefreshReport(sorted(todo))
    while todo:
        with _events(bulk, store, list(todo.values())) as events:
            table = count_daily(events)
        now = {day.day: day for day in hot.list_days(statements, list(todo))}
        settled = {
            day: seen.revision
            for day, seen in todo.items()
            if now[day].retired_generation == seen.retired_generation
        }
        rows = table.filter(pc.is_in(table["date"], value_set=pa.array(settled, pa.date32())))
        results.replace_days(bulk, TABLE, list(settled), rows)
        _publish_months(bulk, store, list(settled))
        results.note_computed(statements, "metrics", settled)
        for row in rows.select(["date", "count"]).to_pylist():
            report.rows_by_day[row["date"]] += 1
            report.events[row["date"]] += row["count"]
        todo = {day: now[day] for day in todo if day not in settled}
    return report


@contextmanager
def _events(
    bulk: BulkConnection, store: ArchiveStore, days: list[hot.Day]
) -> Iterator[duckdb.DuckDBPyRelation]:
    """Yield the days' events as one relation over both stores."""
    files = _cold_files(store, days)
    with duckdb.connect(":memory:") as connection, counted_columns(bulk, [day.day for day in days]) as held:
        connection.execute("set timezone = 'UTC'")
        store.register(connection)
        columns = ", ".join(held.schema.names)
        relation = connection.from_arrow(held)
        if files:
            cold = connection.read_parquet(files).filter(within([day.day for day in days]))
            relation = cold.select(columns).union(relation)
        yield relation


def _cold_files(store: ArchiveStore, days: list[hot.Day]) -> list[str]:
    """Return the files whose rows Postgres does not hold as well; other days may share them."""
    retired = {day.day: day.retired_generation for day in days}
    entries = entries_of(store, {day.day: day.manifest for day in days if day.manifest})
    return sorted(
        {
            store.duckdb_path(file.path)
            for entry in entries.values()
            for file in entry.up_to(retired[entry.day])
        }
    )


def _publish_months(bulk: BulkConnection, store: ArchiveStore, days: list[date]) -> None:
    for month in results.months_of(days):
        last = month.replace(day=calendar.monthrange(month.year, month.month)[1])
        write_month(store, TABLE, month, results.read_table(bulk, TABLE, month, last))
