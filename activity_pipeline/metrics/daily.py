"""Counting events by day, source, action and status."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

METRICS_SCHEMA = pa.schema(
    [
        ("date", pa.date32()),
        ("source", pa.string()),
        ("action", pa.string()),
        ("status", pa.string()),
        ("count", pa.int64()),
        ("users", pa.int64()),
        ("entities", pa.int64()),
        ("first_at", pa.timestamp("us", tz="UTC")),
        ("last_at", pa.timestamp("us", tz="UTC")),
    ]
)
"""The columns of activity_metrics_daily."""


def count_daily(events: duckdb.DuckDBPyRelation) -> pa.Table:
    """Count events.

    Args:
        events: Columns timestamp, source, action, status, user_id, entity_type, entity_id at least,
            on a connection whose time zone is UTC.

    Returns:
        METRICS_SCHEMA, ordered by date, source, action, status.
    """
    query = (Path(__file__).parent / "daily.sql").read_text()
    counted = events.query("events", query)
    if counted is None:
        raise AssertionError("a select returns a relation")
    return counted.to_arrow_table().cast(METRICS_SCHEMA)
