"""The ledger: what was issued, received, stored and moved, and whether it all adds up.

    issued + redelivered = received + dropped + missing          per producer
    received             = inserted + duplicate + dead-lettered
    inserted             = hot + late + archived + erased

Each side is counted on its own: sequence numbers from frame headers, received from lines, inserted
from what COPY reported, hot and late from the tables, archived from retired manifests.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
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
