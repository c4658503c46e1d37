"""Recomputing the metrics of days, from wherever their events live."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Final

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.archive.chain.index import entries_of
from activity_pipeline.archive.files.within import within
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.hot import days as hot
from activity_pipeline.hot import results
from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.hot.reader import counted_columns
from activity_pipeline.metrics.counting import SCHEMAS, Metric, count, days_of
from activity_pipeline.metrics.months import replace_in_months
from activity_pipeline.operations import measured

TABLES: Final[dict[Metric, results.ResultTable]] = {
    "daily": "activity_metrics_daily",
    "hourly": "activity_metrics_hourly",
    "users": "activity_users_daily",
}

MEMORY_LIMIT = "1GB"
"""What DuckDB may hold; what does not fit goes to a folder that is gone afterwards."""


@dataclass(frozen=True, slots=True)
class RefreshReport:
    """What a refresh did.

    Attributes:
        days: Days computed, in order.
        rows: Rows of each table, by day.
        events: Events that those rows count, by day.
    """

    days: list[date]
    rows: dict[results.ResultTable, Counter[date]] = field(default_factory=dict)
    events: Counter[date] = field(default_factory=Counter)


def refresh_metrics(
    statements: Statements, bulk: BulkConnection, store: ArchiveStore, days: Sequence[date]
) -> RefreshReport:
    """Recompute the metrics of days and replace them, in Postgres and beside the archive.

    A day that moves from Postgres to Parquet while it is read would be counted twice or not at all,
    so the days are looked at again afterwards and those that moved are read anew.
    """
    with results.one_at_a_time(statements, "metrics"), measured("metrics") as call:
        report = _refresh(statements, bulk, store, days)
        call.times, call.items = len(report.days), report.events.total()
        return report


def _refresh(
    statements: Statements, bulk: BulkConnection, store: ArchiveStore, days: Sequence[date]
) -> RefreshReport:
    todo = {day.day: day for day in hot.list_days(statements, days)}
    report = RefreshReport(sorted(todo))
    while todo:
        with _events(bulk, store, list(todo.values())) as connection:
            counted = {metric: count(connection, metric) for metric in TABLES}
        now = {day.day: day for day in hot.list_days(statements, list(todo))}
        settled = {
            day: seen for day, seen in todo.items() if now[day].retired_generation == seen.retired_generation
        }
        tables = {TABLES[metric]: _of_days(metric, rows, settled) for metric, rows in counted.items()}
        results.replace_days(bulk, list(settled), tables)
        for table, rows in tables.items():
            replace_in_months(bulk, store, table, list(settled), rows)
        results.note_computed(statements, "metrics", {day: seen.revision for day, seen in settled.items()})
        for metric, table in TABLES.items():
            found = report.rows.setdefault(table, Counter())
            found.update(days_of(metric, tables[table]).to_pylist())
        for row in tables["activity_metrics_daily"].select(["date", "count"]).to_pylist():
            report.events[row["date"]] += row["count"]
        todo = {day: now[day] for day in todo if day not in settled}
    return report


def _of_days(metric: Metric, counted: pa.Table, days: Mapping[date, hot.Day]) -> pa.Table:
    """Return the rows of days, with what they were counted from: the metric's schema."""
    keys = pa.array(days, pa.date32())
    rows = counted.filter(pc.is_in(days_of(metric, counted), value_set=keys))
    places = pc.index_in(days_of(metric, rows), value_set=keys)
    seen = list(days.values())
    for name, values in (
        ("generation", [day.retired_generation for day in seen]),
        ("revision", [day.revision for day in seen]),
    ):
        column = SCHEMAS[metric].field(name)
        rows = rows.append_column(column, pa.array(values, column.type).take(places))
    return rows


@contextmanager
def _events(
    bulk: BulkConnection, store: ArchiveStore, days: list[hot.Day]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Yield a connection whose view `events` has the days' events out of both stores."""
    files, wanted = _cold_files(store, days), [day.day for day in days]
    with (
        tempfile.TemporaryDirectory(prefix="activity-metrics-") as folder,
        duckdb.connect(
            ":memory:", config={"memory_limit": MEMORY_LIMIT, "temp_directory": folder}
        ) as connection,
    ):
        connection.execute("set timezone = 'UTC'")
        store.register(connection)
        with counted_columns(bulk, wanted) as held:
            columns = ", ".join(held.schema.names)
            connection.from_arrow(held).create("held")
        relation = connection.table("held")
        if files:
            cold = connection.read_parquet(files).filter(within(wanted))
            relation = cold.select(columns).union(relation)
        relation.create_view("events")
        with store.querying():
            yield connection


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
