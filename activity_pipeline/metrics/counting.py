"""Counting events by day, by hour and by user."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

import duckdb
import pyarrow as pa

from activity_pipeline.events.model import FAILURE_STATUSES

Metric = Literal["daily", "hourly", "users"]

_COUNTED_FROM = [pa.field("generation", pa.int32()), pa.field("revision", pa.int64())]
_INSTANT = pa.timestamp("us", tz="UTC")

METRICS_SCHEMA: Final = pa.schema(
    [
        ("date", pa.date32()),
        ("source", pa.string()),
        ("action", pa.string()),
        ("status", pa.string()),
        ("count", pa.int64()),
        ("users", pa.int64()),
        ("entities", pa.int64()),
        ("first_at", _INSTANT),
        ("last_at", _INSTANT),
        *_COUNTED_FROM,
    ]
)
"""The columns of activity_metrics_daily."""

HOURLY_SCHEMA: Final = pa.schema(
    [
        ("hour", _INSTANT),
        ("source", pa.string()),
        ("action", pa.string()),
        ("status", pa.string()),
        ("count", pa.int64()),
        *_COUNTED_FROM,
    ]
)
"""The columns of activity_metrics_hourly."""

USERS_SCHEMA: Final = pa.schema(
    [
        ("date", pa.date32()),
        ("user_id", pa.uuid()),
        ("events", pa.int64()),
        ("failures", pa.int64()),
        ("actions", pa.int64()),
        ("first_hour", pa.int16()),
        ("last_hour", pa.int16()),
        *_COUNTED_FROM,
    ]
)
"""The columns of activity_users_daily."""

SCHEMAS: Final[dict[Metric, pa.Schema]] = {
    "daily": METRICS_SCHEMA,
    "hourly": HOURLY_SCHEMA,
    "users": USERS_SCHEMA,
}


def count(connection: duckdb.DuckDBPyConnection, metric: Metric) -> pa.Table:
    """Count `events`.

    Args:
        connection: Its time zone is UTC, and it has a table or view `events` with the columns
            timestamp, source, action, status, user_id, entity_type and entity_id at least.
        metric: What to count by.

    Returns:
        The metric's schema but for generation and revision, ordered by its key.
    """
    connection.execute("set arrow_lossless_conversion = true")  # or UUIDs come as text
    connection.execute("set variable failure_statuses = ?", [sorted(FAILURE_STATUSES)])
    query = (Path(__file__).parent / f"{metric}.sql").read_text()
    counted: pa.Table = connection.sql(query).to_arrow_table()
    return counted.cast(pa.schema([field for field in SCHEMAS[metric] if field not in _COUNTED_FROM]))


def days_of(metric: Metric, rows: pa.Table) -> pa.Array:
    """Return the UTC day of each row."""
    return rows["hour"].cast(pa.date32()) if metric == "hourly" else rows["date"]
