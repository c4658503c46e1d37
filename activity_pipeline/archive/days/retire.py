"""The gate: days leave Postgres once their content there equals the Parquet's."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from activity_pipeline.archive.chain.index import entries_of
from activity_pipeline.archive.days.export import DAYS_PER_STEP
from activity_pipeline.archive.files.describe import check_bytes
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import Statements


def retire_days(statements: Statements, store: ArchiveStore, days: Sequence[date]) -> list[date]:
    """Drop exported days from Postgres, through the gate; return those that were dropped.

    Raises:
        GateError: A day differs from its Parquet; nothing of its step was dropped.
        ArchiveError: A file is not the one that was published; the same.
    """
    retired: list[date] = []
    exported = [day for day in hot.list_days(statements, days) if day.state == "exported"]
    for start in range(0, len(exported), DAYS_PER_STEP):
        step = exported[start : start + DAYS_PER_STEP]
        entries = entries_of(store, {day.day: day.manifest for day in step if day.manifest})
        retirements = []
        for day, entry in entries.items():
            for file in entry.files:
                if file.generation == entry.generation:
                    check_bytes(store, file)
            retirements.append(
                hot.Retirement(day, entry.generation, entry.added(), entry.row_count, entry.size_bytes)
            )
        retired += hot.retire(statements, retirements)
    return retired
