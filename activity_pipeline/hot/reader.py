"""Reading events out of Postgres as Arrow, streamed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import pyarrow as pa

from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.connection import BulkConnection
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


@contextlib.contextmanager
def frozen_rows(connection: BulkConnection, days: Sequence[date]) -> Iterator[pa.RecordBatchReader]:
    """Stream the frozen generation of days, ordered by timestamp and id, as EVENT_SCHEMA."""
    with _cursor_over(connection, "frozen_rows", days) as cursor:
        yield pa.RecordBatchReader.from_batches(EVENT_SCHEMA, map(_typed, cursor.fetch_record_batch()))


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
    """Run a query whose one parameter is a list of days."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_SQL[query], parameters=(",".join(day.isoformat() for day in days),))
            yield cursor
    finally:
        connection.rollback()


def _typed(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Give a batch of ADBC's answer, whose types are right, the schema without ADBC's remarks."""
    columns = [batch.column(name).cast(EVENT_SCHEMA.field(name).type) for name in FIELDS]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)
