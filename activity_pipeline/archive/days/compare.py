"""Whether days that are in Postgres and in Parquet at once hold the same in both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

import duckdb

from activity_pipeline.archive.chain.history import Fault
from activity_pipeline.archive.chain.manifest import DataFile
from activity_pipeline.archive.chain.verify import file_faults
from activity_pipeline.archive.days.bad import BadDays
from activity_pipeline.archive.days.export import DAYS_PER_STEP
from activity_pipeline.archive.files.describe import describe_files
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import Statements


@dataclass(slots=True)
class Comparison:
    """What was compared, and what differs.

    Attributes:
        days: Days compared.
        rows: Rows of them that are in both.
        faults: What differs.
    """

    days: int = 0
    rows: int = 0
    faults: list[Fault] = field(default_factory=list)


def exported_days(statements: Statements) -> list[hot.Day]:
    """Return the days whose newest generation is in Postgres and in Parquet, in order."""
    return [day for day in hot.list_days(statements) if day.state == "exported"]


def compare_exported(statements: Statements, store: ArchiveStore) -> Comparison:
    """Compare the newest generation of each exported day with its files, read back.

    A day that is retired meanwhile is left out: another process has seen it through the gate.

    Raises:
        ArchiveError: The store does not answer.
    """
    found = Comparison()
    exported = exported_days(statements)
    for start in range(0, len(exported), DAYS_PER_STEP):
        _compare(statements, store, exported[start : start + DAYS_PER_STEP], found)
    return found


def _compare(statements: Statements, store: ArchiveStore, step: list[hot.Day], found: Comparison) -> None:
    bad = BadDays()
    entries = bad.entries_of(store, {day.day: day.manifest for day in step if day.manifest})
    shares = {
        file.path: {day: file}
        for day, entry in entries.items()
        for file in entry.files
        if file.generation == entry.generation
    }
    added = {day: entry.added() for day, entry in entries.items()}
    bad.errors |= hot.gate_errors(hot.content_of(statements, list(added)), added)
    manifests = {day.day: day.manifest for day in exported_days(statements)}
    found.days += len(step)
    found.rows += sum(content.rows for content in added.values())
    found.faults += _file_faults(store, shares)
    found.faults += [
        Fault(str(manifests[day]), str(error)) for day, error in bad.errors.items() if day in manifests
    ]


def _file_faults(store: ArchiveStore, shares: dict[str, dict[date, DataFile]]) -> Iterator[Fault]:
    """Read files back all at once, and those that are not as listed one by one, to say what is wrong."""
    try:
        with duckdb.connect(":memory:") as connection:
            described = describe_files(store, connection, list(shares))
    except (ArchiveError, duckdb.Error):
        return file_faults(store, shares, deep=True)
    held = {
        path: {day: share.of(shares[path][day].generation) for day, share in days.items()}
        for path, days in described.items()
        if set(days) == set(shares[path])
    }
    other = {path: days for path, days in shares.items() if held.get(path) != days}
    return file_faults(store, other, deep=True)
