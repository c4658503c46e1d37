"""Tables computed from events, replaced a day at a time: metrics and anomalies.

`activity_computed_days` notes the revision of each day that its results were computed from, so that
a day that has changed since is found without looking at its events.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime
from typing import Literal
from uuid import UUID

import pyarrow as pa

from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
ResultKind = Literal["metrics", "anomalies"]
ResultTable = Literal[
    "activity_metrics_daily", "activity_metrics_hourly", "activity_users_daily", "activity_anomalies_daily"
]


@contextlib.contextmanager
def one_at_a_time(connection: Statements, kind: ResultKind) -> Iterator[None]:
    """Wait for any other computation of the kind: two of one month would overwrite each other's days."""
    connection.execute(_SQL["lock_kind"], {"kind": kind})
    try:
        yield
    finally:
        connection.execute(_SQL["unlock_kind"], {"kind": kind})


def replace_days(
    connection: BulkConnection, days: Collection[date], tables: Mapping[ResultTable, pa.Table]
) -> None:
    """Replace the rows that tables have of `days`, in one transaction.

    Args:
        connection: Committed on success, rolled back otherwise.
        days: All days that were computed, those without rows included.
        tables: New rows by table, with the table's columns.
    """
    listed = ",".join(day.isoformat() for day in days)
    try:
        with connection.cursor() as cursor:
            cursor.execute(_SQL["lock_results"])
            for table, rows in tables.items():
                cursor.execute(_SQL[f"clear_{table}"], parameters=(listed,))
                if len(rows):
                    cursor.adbc_ingest(table, rows, mode="append")
        connection.commit()
    finally:
        connection.rollback()


def note_computed(connection: Statements, kind: ResultKind, revisions: Mapping[date, int]) -> None:
    """Note the revision that each day's results were computed from; the last step of a computation."""
    with connection.cursor() as cursor:
        cursor.executemany(
            _SQL[f"note_{kind}"], [{"day": day, "revision": revision} for day, revision in revisions.items()]
        )


def read_table(connection: BulkConnection, table: ResultTable, first: date, last: date) -> pa.Table:
    """Return a result table's rows of the days from `first` to `last`, ordered by its key."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL[f"read_{table}"], parameters=(first.isoformat(), last.isoformat()))
        rows: pa.Table = cursor.fetch_arrow_table()
    connection.rollback()
    return rows


def first_seen(connection: BulkConnection) -> pa.Table:
    """Return the first day of each action, and its events then: source, action, first, events."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["first_seen"])
        rows: pa.Table = cursor.fetch_arrow_table()
    connection.rollback()
    return rows


def hourly_volume(connection: Statements, days: Collection[date]) -> dict[datetime, int]:
    """Return the events of each hour of some days that has any, all series together."""
    return dict(connection.execute(_SQL["volume"], {"days": list(days)}).fetchall())


def gap_days(connection: Statements, *, before: date) -> list[date]:
    """Return the days before another one that hold events and have no metrics, in order."""
    return [row[0] for row in connection.execute(_SQL["gaps"], {"before": before})]


def erase_user(connection: Statements, user: UUID) -> None:
    """Remove what was counted of a user by name, what was unusual about them, and what was said of that."""
    with connection.transaction():
        for of in ("", "_anomalies", "_acknowledgements", "_mutes", "_alerts"):
            connection.execute(_SQL[f"erase_user{of}"], {"user_id": user})


def revisions_of(connection: Statements, days: Collection[date]) -> dict[date, int]:
    """Return the present revision of each known day."""
    return dict(connection.execute(_SQL["revisions"], {"days": list(days)}).fetchall())


def generations_of(connection: Statements, days: Collection[date]) -> dict[date, int]:
    """Return the archive generation that each day's metrics had when they were counted."""
    return dict(connection.execute(_SQL["generations"], {"days": list(days)}).fetchall())


def stale_days(connection: Statements, kind: ResultKind) -> list[date]:
    """Return the days that changed since their results were computed, in order."""
    return [row[0] for row in connection.execute(_SQL[f"stale_{kind}"])]


def months_of(days: Collection[date]) -> list[date]:
    """Return the first days of the months that `days` lie in, in order."""
    return sorted({day.replace(day=1) for day in days})
