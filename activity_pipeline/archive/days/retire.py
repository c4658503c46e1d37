"""The gate: days leave Postgres once their content there equals the Parquet's."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import date

from activity_pipeline.archive.chain.index import entries_of
from activity_pipeline.archive.chain.manifest import DayEntry
from activity_pipeline.archive.days.export import DAYS_PER_STEP, first_of
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError, StoreBusyError
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import Statements

logger = logging.getLogger(__name__)


PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Waits before each further attempt where a session holds the tables, in seconds: a report may take that."""


def retire_days(
    statements: Statements, store: ArchiveStore, days: Sequence[date], *, pauses_s: Sequence[float] = PAUSES_S
) -> list[date]:
    """Drop exported days from Postgres, through the gate; return those that were dropped.

    Args:
        statements: Postgres.
        store: The archive.
        days: Days; those that are not exported are left as they are.
        pauses_s: Waits before further attempts where another session holds the tables, in seconds.

    Raises:
        GateError: A day differs from its Parquet; that day was not dropped, all the others were.
        ArchiveError: The same where a day's Parquet is not as its manifest says.
        StoreBusyError: A session held the tables at each attempt; the days from there on were not dropped.
    """
    retired: list[date] = []
    refused: list[ArchiveError] = []
    exported = [day for day in hot.list_days(statements, days) if day.state == "exported"]
    for start in range(0, len(exported), DAYS_PER_STEP):
        step = exported[start : start + DAYS_PER_STEP]
        try:
            retired += _retire(statements, store, step, pauses_s)
        except ArchiveError:
            # One by one, so that a day that does not pass keeps nobody else.
            for day in step:
                try:
                    retired += _retire(statements, store, [day], pauses_s)
                except ArchiveError as error:
                    refused.append(error)
    if refused:
        raise first_of(refused)
    return retired


def _retire(
    statements: Statements, store: ArchiveStore, step: Sequence[hot.Day], pauses_s: Sequence[float]
) -> list[date]:
    retirements = []
    for day, entry in entries_of(store, {day.day: day.manifest for day in step if day.manifest}).items():
        _check_files(store, entry)
        retirements.append(
            hot.Retirement(day, entry.generation, entry.added(), entry.row_count, entry.size_bytes)
        )
    for pause_s in pauses_s:
        try:
            return hot.retire(statements, retirements)
        except StoreBusyError as error:
            logger.warning("%s; once more in %.0f s", error, pause_s)
            time.sleep(pause_s)
    return hot.retire(statements, retirements)


def _check_files(store: ArchiveStore, entry: DayEntry) -> None:
    for file in entry.files:
        if file.generation == entry.generation and store.digest(file.path) != (file.size_bytes, file.sha256):
            raise ArchiveError(f"{file.path} is not the file that its manifest lists", path=file.path)
