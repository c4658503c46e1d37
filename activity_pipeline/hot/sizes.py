"""How much room the event tables take."""

from __future__ import annotations

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


def stored_bytes(connection: Statements) -> int:
    """Return the size of the hot and late tables with their indexes, in bytes."""
    row = connection.execute(_SQL["stored_bytes"]).fetchone()
    return int(row[0]) if row else 0
