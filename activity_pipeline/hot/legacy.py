"""What is known of an application that leaves its triggers: parity by table and day, and coverage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from psycopg.rows import class_row

from activity_pipeline.events.days import today
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


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


def read_parity(connection: Statements, first: date, last: date) -> dict[str, Parity]:
    """Return what was compared of each table over the days from `first` to `last`."""
    with connection.cursor(row_factory=class_row(Parity)) as cursor:
        rows = cursor.execute(_SQL["parity"], {"first": first, "last": last, "today": today()}).fetchall()
    return {row.table_name: row for row in rows}
