"""The ledger: what was issued, received, stored and moved, and whether it all adds up.

    issued + redelivered = received + dropped + missing          per producer
    received             = inserted + duplicate + dead-lettered
    inserted             = hot + late + archived + erased

Each side is counted on its own: sequence numbers from frame headers, received from lines, inserted
from what COPY reported, hot and late from the tables, archived from retired manifests.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Ledger:
    """Totals, all in events but for the days."""

    issued: int
    redelivered: int
    received: int
    dropped: int
    missing: int
    inserted: int
    duplicate: int
    dead_lettered: int
    dead_letters_kept: int
    received_by_day: int
    inserted_by_day: int
    duplicate_by_day: int
    dead_lettered_by_day: int
    hot: int
    late: int
    archived: int
    erased: int
    hot_days: int
    archived_days: int

    @property
    def differences(self) -> dict[str, int]:
        """Each equation's left side less its right side; all 0 where nothing is missing or doubled."""
        return {
            "missing from producers": self.missing,
            "issued": self.issued + self.redelivered - self.received - self.dropped - self.missing,
            "received": self.received - self.inserted - self.duplicate - self.dead_lettered,
            "inserted": self.inserted_by_day - self.hot - self.late - self.archived - self.erased,
            "dead letters": self.dead_lettered - self.dead_letters_kept,
            "received by day": self.received - self.received_by_day,
            "dead-lettered by day": self.dead_lettered - self.dead_lettered_by_day,
            "stored by day": self.inserted + self.duplicate - self.inserted_by_day - self.duplicate_by_day,
        }

    @property
    def residual(self) -> int:
        """Events that some equation cannot account for; 0 is proof that it closes."""
        return sum(map(abs, self.differences.values()))

    def as_dict(self) -> dict[str, Any]:
        """Return all figures, the differences and the residual."""
        return {**asdict(self), "differences": self.differences, "residual": self.residual}


@dataclass(frozen=True, slots=True)
class ProducerLedger:
    """What one producer issued and what became of it, in events.

    Attributes:
        producer_id: Empty for entries that named none.
        missing_ranges: Sequence numbers neither seen nor declared as dropped, as Postgres writes a
            multirange.
        drop_reasons: The declared drops by reason.
        first_seen: When its first frame was stored.
        last_seen: When its last frame was stored.
    """

    producer_id: str
    issued: int
    redelivered: int
    received: int
    dropped: int
    missing: int
    inserted: int
    duplicate: int
    dead_lettered: int
    missing_ranges: str
    drop_reasons: dict[str, int]
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class DayLedger:
    """A day's events and where they are.

    What was issued, dropped or missing has a sequence number and no day.

    Attributes:
        state: As in `activity_days`; empty for a day that has dead letters alone.
        arrived: Events that reached the queue on this day, whatever day they are of.
        dead_lettered: Those of them that were refused, and still are.
    """

    day: date
    state: str
    arrived: int
    received: int
    inserted: int
    duplicate: int
    dead_lettered: int
    hot: int
    late: int
    archived: int
    erased: int

    @property
    def difference(self) -> int:
        """Events inserted that are nowhere, or are somewhere without having been inserted."""
        return self.inserted - self.hot - self.late - self.archived - self.erased


@dataclass(frozen=True, slots=True)
class Arrivals:
    """What reached the queue on a day, and how much of it is a dead letter."""

    day: date
    arrived: int
    dead_lettered: int

    @property
    def share(self) -> float:
        """The dead letters' share, from 0 to 1."""
        return self.dead_lettered / max(self.arrived, self.dead_lettered)


def read_ledger(connection: Statements) -> Ledger:
    """Count everything, in one snapshot."""
    with connection.transaction():
        connection.execute(_SQL["one_snapshot"])
        with connection.cursor(row_factory=class_row(Ledger)) as cursor:
            ledger = cursor.execute(_SQL["totals"]).fetchone()
    if ledger is None:
        raise AssertionError("an aggregate without group by returns one row")
    return ledger


def read_producers(connection: Statements) -> list[ProducerLedger]:
    """Return the ledger by producer, newest first."""
    with connection.cursor(row_factory=class_row(ProducerLedger)) as cursor:
        return cursor.execute(_SQL["producers"]).fetchall()


def read_days(connection: Statements, days: tuple[date, date] | None = None) -> list[DayLedger]:
    """Return the ledger by day, newest first, of all days or from a first to a last one."""
    first, last = days or (None, None)
    with connection.cursor(row_factory=class_row(DayLedger)) as cursor:
        return cursor.execute(_SQL["days"], {"first": first, "last": last}).fetchall()


def read_arrivals(connection: Statements, *, since: date) -> list[Arrivals]:
    """Return the days from `since` on that have dead letters."""
    with connection.cursor(row_factory=class_row(Arrivals)) as cursor:
        return cursor.execute(_SQL["arrivals"], {"first": since}).fetchall()
