"""How far the import of an old audit table has got, day by day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Progress:
    """A day of an audit table; see the comments of `activity_imports`."""

    rows: int = 0
    events: int = 0
    dead_lettered: int = 0
    fingerprint: int = 0
    is_finished: bool = False
    verified_at: datetime | None = None


def claim_import(connection: Statements, table: str, day: date) -> bool:
    """Take a table's day for this connection; False while another one has it."""
    row = connection.execute(_SQL["claim"], {"table_name": table, "day": day}).fetchone()
    return bool(row and row[0])


def read_progress(connection: Statements, table: str, day: date) -> Progress:
    """Return how far a day has got."""
    found = connection.execute(_SQL["read"], {"table_name": table, "day": day}).fetchone()
    return _progress(*found) if found else Progress()


def list_imports(connection: Statements, table: str) -> dict[date, Progress]:
    """Return the days of a table that were begun, in order."""
    rows = connection.execute(_SQL["list"], {"table_name": table}).fetchall()
    return {day: _progress(*row) for day, *row in rows}


def advance(cursor: Any, table: str, day: date, progress: Progress) -> None:
    """Note progress in the transaction of a bulk cursor."""
    figures = (progress.rows, progress.events, progress.dead_lettered, str(progress.fingerprint))
    cursor.execute(_SQL["advance"], parameters=(table, day.isoformat(), *figures))


def finish(connection: Statements, table: str, day: date, source_rows: int) -> None:
    """Note that a day was read whole; the database refuses where other rows were counted than read."""
    named = {"table_name": table, "day": day}
    with connection.transaction():
        connection.execute(_SQL["begin"], named)
        connection.execute(_SQL["finish"], {**named, "source_rows": source_rows})


def note_verified(connection: Statements, table: str, day: date) -> None:
    """Note that the archive has what was read."""
    connection.execute(_SQL["verified"], {"table_name": table, "day": day})


def _progress(rows: int, events: int, dead_lettered: int, fingerprint: str, *more: Any) -> Progress:
    return Progress(rows, events, dead_lettered, int(fingerprint), *more)
