"""Changes of tables without audit triggers, and how many of them events tell of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Literal

from psycopg.rows import class_row

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
Method = Literal["statistics", "triggers"]
KEPT = timedelta(days=90)
SLACK = timedelta(seconds=2)
"""An event is logged in its transaction or right after it; so much later it counts as of before the look."""


@dataclass(frozen=True, slots=True)
class Look:
    """A row of `activity_legacy_coverage`; see the comments of its columns."""

    table_name: str
    looked_at: datetime
    method: Method
    since: datetime
    counter: int
    changes: int
    events: int | None = None


@dataclass(frozen=True, slots=True)
class Unsettled:
    """A look whose events are still to be counted.

    Attributes:
        counted_until: The look up to which they are.
        counted: How many there were.
    """

    table_name: str
    looked_at: datetime
    method: Method
    since: datetime
    counter: int
    changes: int
    counted_until: datetime
    counted: int


@dataclass(frozen=True, slots=True)
class Bypass:
    """Changes that no event tells of.

    Attributes:
        table_name: schema.table.
        method: Who counted; statistics count what was rolled back, too.
        rows: How many rows.
        looked_at: The look that they were found by.
    """

    table_name: str
    method: Method
    rows: int
    looked_at: datetime


def newest_looks(connection: Statements) -> dict[str, Look]:
    """Return the last look at each table."""
    with connection.cursor(row_factory=class_row(Look)) as cursor:
        return {look.table_name: look for look in cursor.execute(_SQL["newest"])}


def keep_looks(connection: Statements, looks: Sequence[Look], now: datetime) -> None:
    """Keep looks, and forget those of long ago."""
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_SQL["prune"], {"before": now - KEPT})
        cursor.executemany(_SQL["keep"], [asdict(look) for look in looks])


def settle_looks(connection: Statements, before: datetime) -> int:
    """Count the events of looks that are older than `before`; return of how many looks.

    Only those since the look before are counted, unless some are missing: they may have come late.
    """
    with connection.cursor(row_factory=class_row(Unsettled)) as cursor:
        waiting = cursor.execute(_SQL["unsettled"], {"before": before}).fetchall()
    counted: dict[tuple[str, datetime], tuple[datetime, int]] = {}
    for look in waiting:
        series = (look.table_name, look.since)
        until, events = counted.get(series, (look.counted_until, look.counted))
        events += _count(connection, look.table_name, until, look.looked_at)
        if events < look.changes:
            events = _count(connection, look.table_name, look.since, look.looked_at)
        counted[series] = (look.looked_at, events)
        connection.execute(
            _SQL["settle"],
            {"events": events, "table_name": look.table_name, "looked_at": look.looked_at},
        )
    return len(waiting)


def _count(connection: Statements, table_name: str, after: datetime, until: datetime) -> int:
    names = {"table_name": table_name, "bare_name": table_name.partition(".")[2]}
    span = {"after": after + SLACK, "until": until + SLACK}
    row = connection.execute(_SQL["count_events"], {**names, **span}).fetchone()
    if row is None:
        raise AssertionError("an aggregate without group by returns one row")
    return int(row[0])


def read_bypasses(connection: Statements, since: datetime) -> list[Bypass]:
    """Return what bypassed the service calls since an instant, by table."""
    with connection.cursor(row_factory=class_row(Bypass)) as cursor:
        return cursor.execute(_SQL["bypasses"], {"since": since}).fetchall()
