"""The chain of manifests as this database knows it, and what each one made of its days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from psycopg.rows import class_row

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.content import Held
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Head:
    """A place in the chain of manifests: sequence number, path and SHA-256 of the manifest."""

    sequence: int
    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class DayChange:
    """A day as of a manifest; see the comments of the columns of `activity_days`.

    Attributes:
        erased_rows: Rows that the generation no longer holds.
    """

    day: date
    generation: int
    row_count: int
    size_bytes: int
    erased_rows: int = 0


@dataclass(frozen=True, slots=True)
class ManifestRecord:
    """A row of `activity_manifests`, and the days that it is about.

    Attributes:
        receipt: Path of what says what was erased.
    """

    sequence: int
    name: str
    sha256: str
    operation: str
    days: tuple[DayChange, ...]
    receipt: str | None = None


def last_manifest(connection: Statements) -> Head | None:
    """Return the end of the chain as Postgres knows it."""
    with connection.cursor(row_factory=class_row(Head)) as cursor:
        return cursor.execute(_SQL["last_manifest"]).fetchone()


def registered_names(connection: Statements) -> set[str]:
    """Return the names of all manifests that Postgres knows."""
    return {row[0] for row in connection.execute(_SQL["names"])}


def noted_sha256(connection: Statements, name: str) -> str | None:
    """Return the hash of a manifest's bytes as it was published; None where Postgres does not know it."""
    row = connection.execute(_SQL["sha256"], {"name": name}).fetchone()
    return row[0] if row else None


def note_exported(
    connection: Statements, records: Sequence[ManifestRecord], held: Mapping[date, Held]
) -> None:
    """Note published exports, all or none: places in the chain, and that their days are in Parquet too.

    Args:
        connection: Postgres.
        records: What was published.
        held: What Postgres holds of their days, and has been found to equal the Parquet.
    """
    changes = [
        {
            **asdict(change),
            "manifest": record.name,
            "exported_rows": held[change.day].content.rows,
            "exported_hash": held[change.day].content.digest,
            "exported_versions": held[change.day].versions,
        }
        for record in records
        for change in record.days
    ]
    with connection.transaction(), connection.cursor() as cursor:
        cursor.executemany(_SQL["register"], [_row(record) for record in records])
        cursor.executemany(_SQL["mark_exported"], changes)


def note_replaced(connection: Statements, record: ManifestRecord) -> None:
    """Note a compaction or erasure: the days have other files, and the ledger what was erased.

    A manifest that is noted already changes nothing.
    """
    with connection.transaction():
        if not _register(connection, record):
            return
        with connection.cursor() as cursor:
            changes = [{**asdict(change), "manifest": record.name} for change in record.days]
            cursor.executemany(_SQL["mark_replaced"], changes)
            erased = [{**each, "receipt": record.receipt} for each in changes if each["erased_rows"]]
            cursor.executemany(_SQL["count_erased"], erased)
            cursor.executemany(_SQL["note_erased"], erased)


def _register(connection: Statements, record: ManifestRecord) -> bool:
    return connection.execute(_SQL["register"], _row(record)).rowcount == 1


def _row(record: ManifestRecord) -> dict[str, Any]:
    return {
        "sequence": record.sequence,
        "name": record.name,
        "sha256": record.sha256,
        "operation": record.operation,
        "first_day": record.days[0].day,
        "last_day": record.days[-1].day,
        "day_count": len(record.days),
        "row_count": sum(change.row_count for change in record.days),
        "size_bytes": sum(change.size_bytes for change in record.days),
        "receipt": record.receipt,
    }


def compacted_within(connection: Statements, seconds: float) -> bool:
    """Whether a compaction was published so short a time ago."""
    row = connection.execute(_SQL["compacted_within"], {"seconds": seconds}).fetchone()
    return bool(row and row[0])


def try_lock(connection: Statements) -> bool:
    """Take the lock of the archive for this session; False where another operation has it."""
    row = connection.execute(_SQL["try_lock"]).fetchone()
    return bool(row and row[0])


def unlock(connection: Statements) -> None:
    """Give it back."""
    connection.execute(_SQL["unlock"])
