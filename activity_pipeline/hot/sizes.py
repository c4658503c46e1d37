"""How much room the event tables take."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


def stored_bytes(connection: Statements) -> int:
    """Return the size of the hot and late tables with their indexes, in bytes."""
    row = connection.execute(_SQL["stored_bytes"]).fetchone()
    return int(row[0]) if row else 0


def partition_bytes(connection: Statements, days: Collection[date]) -> dict[date, int]:
    """Return the size of each day's partition with its indexes, in bytes; a late day has none."""
    return dict(connection.execute(_SQL["partition_bytes"], {"days": list(days)}).fetchall())
