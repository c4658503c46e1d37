"""The gate: days leave Postgres once their content there equals the Parquet's."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import date

from activity_pipeline.archive.days.bad import BadDays
from activity_pipeline.archive.days.export import DAYS_PER_STEP
from activity_pipeline.archive.files.describe import check_bytes
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import GateError, StoreBusyError
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import Statements
from activity_pipeline.operations import measured

logger = logging.getLogger(__name__)


PAUSES_S = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Waits before each further attempt where a session holds the tables, in seconds: a report may take that."""


def retire_days(
    statements: Statements,
    store: ArchiveStore,
    days: Sequence[date],
    bad: BadDays | None = None,
    *,
    pauses_s: Sequence[float] = PAUSES_S,
) -> list[date]:
    """Drop exported days from Postgres, through the gate; return those that were dropped.

    A day that fails stays exported, and the others go on.

    Args:
        statements: Postgres.
        store: The archive.
        days: Those to drop; what is not exported is left as it is.
        bad: Takes the days that fail, which are then not raised.
        pauses_s: Waits before further attempts where another session holds the tables, in seconds.

    Raises:
        GateError: A day differs from its Parquet.
        BadDaysError: Several days failed.
        ArchiveError: A day's file or manifest is not as it was published, or the store does not answer.
        StoreBusyError: A session held the tables at each attempt; the days from there on were not dropped.
    """
    failed = BadDays() if bad is None else bad
    retired: list[date] = []
    exported = _exported(statements, days)
    for start in range(0, len(exported), DAYS_PER_STEP):
        step = exported[start : start + DAYS_PER_STEP]
        bad_before = len(failed.errors)
        with measured("gate", times=len(step)) as call:
            retired += _retire(statements, _checked(store, step, failed), failed, pauses_s)
            call.failures = len(failed.errors) - bad_before
    if bad is None:
        failed.check()
    return retired


def _checked(store: ArchiveStore, step: Sequence[hot.Day], failed: BadDays) -> list[hot.Retirement]:
    """Return what the days of a step must hold, but for those whose new file is not as published."""
    retirements = []
    for day, entry in failed.entries_of(store, {d.day: d.manifest for d in step if d.manifest}).items():
        with failed.keeping(day):
            for file in entry.files:
                if file.generation == entry.generation:
                    check_bytes(store, file)
            retirements.append(
                hot.Retirement(day, entry.generation, entry.added(), entry.row_count, entry.size_bytes)
            )
    return retirements


def _retire(
    statements: Statements,
    retirements: Sequence[hot.Retirement],
    failed: BadDays,
    pauses_s: Sequence[float],
) -> list[date]:
    """Retire a step whole; where that fails, find all days that differ and retire the others."""
    try:
        return _patiently(statements, retirements, pauses_s)
    except GateError:
        wanted = {each.day: each.content for each in retirements}
        held = hot.content_of(statements, list(wanted))
        left = {day.day for day in _exported(statements, list(wanted))}
        differing = hot.gate_errors(held, {day: content for day, content in wanted.items() if day in left})
        failed.errors |= differing
        return _patiently(statements, [each for each in retirements if each.day not in differing], pauses_s)


def _patiently(
    statements: Statements, retirements: Sequence[hot.Retirement], pauses_s: Sequence[float]
) -> list[date]:
    """Retire, and try again where another session holds the tables."""
    for pause_s in pauses_s:
        try:
            return hot.retire(statements, retirements)
        except StoreBusyError as error:
            logger.warning("%s; once more in %.0f s", error, pause_s)
            time.sleep(pause_s)
    return hot.retire(statements, retirements)


def _exported(statements: Statements, days: Sequence[date]) -> list[hot.Day]:
    return [day for day in hot.list_days(statements, days) if day.state == "exported"]
