"""The gate: days leave Postgres once their content there equals the Parquet's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from activity_pipeline.archive.chain.manifest import DayEntry
from activity_pipeline.archive.days.bad import BadDays
from activity_pipeline.archive.days.export import DAYS_PER_STEP
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError, GateError
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import Statements


def retire_days(
    statements: Statements, store: ArchiveStore, days: Sequence[date], bad: BadDays | None = None
) -> list[date]:
    """Drop exported days from Postgres, through the gate; return those that were dropped.

    A day that fails stays exported, and the others go on.

    Args:
        statements: Postgres.
        store: The archive.
        days: Those to drop; what is not exported is left as it is.
        bad: Takes the days that fail, which are then not raised.

    Raises:
        GateError: A day differs from its Parquet.
        BadDaysError: Several days failed.
        ArchiveError: A day's file or manifest is not as it was published, or the store does not answer.
    """
    failed = BadDays() if bad is None else bad
    retired: list[date] = []
    exported = _exported(statements, days)
    for start in range(0, len(exported), DAYS_PER_STEP):
        step = exported[start : start + DAYS_PER_STEP]
        retirements = []
        for day, entry in failed.entries_of(store, {d.day: d.manifest for d in step if d.manifest}).items():
            with failed.keeping(day):
                _check_files(store, entry)
                retirements.append(
                    hot.Retirement(day, entry.generation, entry.added(), entry.row_count, entry.size_bytes)
                )
        retired += _retire(statements, retirements, failed)
    if bad is None:
        failed.check()
    return retired


def _retire(statements: Statements, retirements: Sequence[hot.Retirement], failed: BadDays) -> list[date]:
    """Retire a step whole; where that fails, find all days that differ and retire the others."""
    try:
        return hot.retire(statements, retirements)
    except GateError:
        wanted = {each.day: each.content for each in retirements}
        held = hot.content_of(statements, list(wanted))
        left = {day.day for day in _exported(statements, list(wanted))}
        differing = hot.gate_errors(held, {day: content for day, content in wanted.items() if day in left})
        failed.errors |= differing
        return hot.retire(statements, [each for each in retirements if each.day not in differing])


def _exported(statements: Statements, days: Sequence[date]) -> list[hot.Day]:
    return [day for day in hot.list_days(statements, days) if day.state == "exported"]


def _check_files(store: ArchiveStore, entry: DayEntry) -> None:
    for file in entry.files:
        if file.generation == entry.generation and store.digest(file.path) != (file.size_bytes, file.sha256):
            raise ArchiveError(f"{file.path} is not the file that its manifest lists", path=file.path)
