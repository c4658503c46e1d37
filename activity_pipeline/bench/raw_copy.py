"""What Postgres takes at all: the very rows that the drain stored, by binary COPY out of memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import date

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.days import ensure_days
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
_WRITE_BYTES = 64 * 1024


def copy_out(connection: Statements) -> bytes:
    """Return the hot rows in the format of a binary COPY, in time order."""
    with connection.cursor().copy(_SQL["copy_out"]) as copy:
        return b"".join(bytes(part) for part in copy)


def copy_in(connection: Statements, rows: bytes, days: Sequence[date]) -> float:
    """Copy rows into day partitions made before; return the time of the COPY in seconds."""
    ensure_days(connection, days, hot_since=min(days))
    started = time.perf_counter()
    with connection.cursor().copy(_SQL["copy_in"]) as copy:
        for first in range(0, len(rows), _WRITE_BYTES):
            copy.write(rows[first : first + _WRITE_BYTES])
    return time.perf_counter() - started
