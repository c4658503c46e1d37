"""What is known of an application that leaves its triggers: parity by table and day, and coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row, dict_row

from activity_pipeline.events.days import today
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
EVERYTHING = "*"
"""The name under which all tables of a day are kept together."""


@dataclass(frozen=True, slots=True)
class Parity:
    """A table's audit rows against the events of the same changes, over some days.

    Attributes:
        table_name: schema.table.
        matched: Changes that both have, and agree on.
        missing: Changes without an event.
        extra: Events without a change.
        different: Changes that both have, with other values.
        days: Those that were compared.
        unfinished: Those of them that were compared before they were over; today is not among them.
    """

    table_name: str
    matched: int
    missing: int
    extra: int
    different: int
    days: Sequence[date]
    unfinished: Sequence[date] | None = None

    @property
    def is_full(self) -> bool:
        """Whether nothing is missing, extra or different."""
        return not (self.missing or self.extra or self.different)


@dataclass(frozen=True, slots=True)
class Compared:
    """A table's figures of one day; see `Parity`."""

    table_name: str
    matched: int
    missing: int
    extra: int
    different: int


def keep_compared(
    connection: Statements, day: date, compared: Sequence[Compared], judged_until: datetime
) -> None:
    """Keep what was compared of a day instead of what was known of it.

    Args:
        connection: To the events.
        day: The UTC day.
        compared: By table, and EVERYTHING.
        judged_until: Until when changes were compared.
    """
    with connection.transaction(), connection.cursor() as cursor:
        cursor.execute(_SQL["forget"], {"day": day})
        rows = [{"day": day, "judged_until": judged_until, **asdict(each)} for each in compared]
        cursor.executemany(_SQL["keep"], rows)


def read_parity(connection: Statements, first: date, last: date) -> dict[str, Parity]:
    """Return what was compared of each table over the days from `first` to `last`."""
    with connection.cursor(row_factory=class_row(Parity)) as cursor:
        rows = cursor.execute(_SQL["parity"], {"first": first, "last": last, "today": today()}).fetchall()
    return {row.table_name: row for row in rows}


def read_parity_by_day(connection: Statements, first: date, last: date) -> list[dict[str, Any]]:
    """Return day, matched, missing, extra and different of all tables together, by day."""
    asked = {"everything": EVERYTHING, "first": first, "last": last}
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["parity_by_day"], asked).fetchall()
