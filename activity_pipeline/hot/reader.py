"""Reading events out of Postgres as Arrow, streamed.

The driver streams by binary COPY where a query has no parameters; with any it would hold the whole
answer in memory. So the days that a query is about are set as settings of its transaction.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from activity_pipeline.events.days import ranges, span_of
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.connection import BulkConnection
from activity_pipeline.hot.days import Day
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


def frozen_rows(connection: BulkConnection, days: Sequence[Day]) -> Generator[pa.RecordBatch, None, None]:
    """Stream the frozen generation of days as EVENT_SCHEMA, day by day, in about the order of time.

    Args:
        connection: Postgres.
        days: Frozen or exported days.
    """
    # Range by range: a condition on the day of each row would cost a tenth of what reading it does.
    parts: list[tuple[str, Sequence[date]]] = [
        ("frozen_current", span) for span in ranges(day.day for day in days if day.late_cut is None)
    ]
    if late := [day.day for day in days if day.late_cut is not None]:
        parts.append(("frozen_late", late))
    for query, wanted in parts:
        with _cursor_over(connection, query, wanted) as cursor:
            yield from map(_typed, cursor.fetch_record_batch())


@contextlib.contextmanager
def counted_columns(connection: BulkConnection, days: Sequence[date]) -> Iterator[pa.RecordBatchReader]:
    """Stream what metrics count of the events that Postgres holds of days, hot and late.

    Columns: timestamp, source, action, status, user_id, entity_type, entity_id. Restored days are
    copies of what the archive holds, so they are left out.
    """
    with _cursor_over(connection, "counted_columns", days) as cursor:
        yield cursor.fetch_record_batch()


@contextlib.contextmanager
def _cursor_over(connection: BulkConnection, query: str, days: Sequence[date]) -> Iterator[Any]:
    """Run a query about days; without parallel workers, so that each day's rows stay together."""
    first_at, end_at = span_of(days)
    listed = ",".join(day.isoformat() for day in days)
    try:
        with connection.cursor() as cursor:
            cursor.execute(_SQL["set_days"], parameters=(listed, first_at.isoformat(), end_at.isoformat()))
            cursor.fetchall()
            cursor.execute(_SQL[query])
            yield cursor
    finally:
        connection.rollback()


def _typed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give a batch of ADBC's answer, whose types are right, the schema without ADBC's remarks."""
    columns = [batch.column(name).cast(EVENT_SCHEMA.field(name).type) for name in FIELDS]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)
