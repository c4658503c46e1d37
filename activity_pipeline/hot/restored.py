"""Days that are back from the archive for a while: partitions of `activity_logs_archive`.

A restored day holds what its archive does, no more and no less, so that hot, late and restored rows
together are every event once. `days.retire` puts the rows of its next generation there too.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import adbc_driver_manager
import psycopg
import pyarrow as pa

from activity_pipeline.errors import ActivityError, StoreBusyError
from activity_pipeline.events.content import Content
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.hot.days import Day
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.hot.writer import ROWS_PER_WRITE

_SQL = load_queries(__file__)
DAYS_PER_LOCK = 50
"""Days that are dropped together: each takes a dozen of Postgres's locks."""

TRIES = 5
PAUSE_S = 0.5
"""How long the queries that wait for a lock we did not get have the table before we try again."""


@dataclass(frozen=True, slots=True)
class Restoring:
    """A day on its way back, in a table that nobody sees before `attach`.

    Attributes:
        day: The day.
    """

    day: date
    _connection: BulkConnection
    _cursor: Any

    def fill(self, rows: Iterable[pa.RecordBatch]) -> Content:
        """Copy the day's rows in, a few at a time; return what Postgres holds of them.

        Args:
            rows: EVENT_SCHEMA, of this day alone.

        Raises:
            adbc_driver_manager.Error: Postgres refuses a row.
            ActivityError: What `rows` raises.
        """
        failures: list[ActivityError] = []
        reader = pa.RecordBatchReader.from_batches(EVENT_SCHEMA, _few_at_a_time(rows, failures))
        try:
            self._cursor.adbc_ingest("activity_logs_restoring", reader, mode="append")
        except adbc_driver_manager.Error:
            if failures:
                raise failures[0] from None
            raise
        self._cursor.execute(_SQL["content"])
        count, first, second = self._cursor.fetchone()
        return Content.of(count, int(first), int(second))

    def attach(self, seen: Day, until: datetime, *, lock_timeout_s: float = 5.0) -> bool:
        """Index the rows, make them a partition and commit.

        Args:
            seen: The day as it was when its files were looked up.
            until: When its time is over.
            lock_timeout_s: Longest that ingest waits for this, once batches under way have ended.

        Returns:
            False where the archive of the day is another one by now: nothing was restored.
        """
        day = self.day.isoformat()
        self._cursor.execute(_SQL["index"], parameters=(day,))
        self._cursor.execute(_SQL["lock_routes"])
        self._cursor.execute(_SQL["set_bulk_lock_timeout"], parameters=(f"{lock_timeout_s}s",))
        self._cursor.execute(_SQL["attach"], parameters=(day,))
        self._cursor.execute(_SQL["drop_known"], parameters=(day,))
        noted = (day, seen.manifest, seen.retired_generation, until.isoformat())
        self._cursor.execute(_SQL["note"], parameters=noted)
        if self._cursor.fetchone() is None:
            return False
        self._connection.commit()
        return True


def _few_at_a_time(rows: Iterable[pa.RecordBatch], failures: list[ActivityError]) -> Iterator[pa.RecordBatch]:
    """Cut batches; keep what goes wrong with them, of which the driver passes on no more than the text."""
    try:
        for batch in rows:
            for start in range(0, len(batch), ROWS_PER_WRITE):
                yield batch.slice(start, ROWS_PER_WRITE)
    except ActivityError as error:
        failures.append(error)
        raise


@contextlib.contextmanager
def restoring(connection: BulkConnection, day: date) -> Iterator[Restoring | None]:
    """Begin to restore a day, one at a time; yields None where it is restored already.

    Rolls back unless the day was attached.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(_SQL["begin"], parameters=(day.isoformat(),))
            begun = cursor.fetchone()[0]
            yield Restoring(day, connection, cursor) if begun else None
    finally:
        # A connection that is gone has nothing to roll back, and must not hide why.
        with contextlib.suppress(adbc_driver_manager.Error):
            connection.rollback()


def extend(connection: Statements, day: date, until: datetime) -> datetime | None:
    """Let a restored day stay for longer; return until when it stays now, None where it is not restored."""
    row = connection.execute(_SQL["extend"], {"day": day, "until": until}).fetchone()
    return row[0] if row else None


def days_over(connection: Statements, now: datetime) -> list[date]:
    """Return the restored days whose time is over, in order."""
    return [row[0] for row in connection.execute(_SQL["over"], {"now": now})]


def drop(
    connection: Statements,
    days: Sequence[date],
    *,
    now: datetime | None = None,
    lock_timeout_s: float = 0.5,
    tries: int | None = None,
) -> list[date]:
    """Drop restored days, a few dozen at a time in one short lock; return those that were dropped.

    Args:
        connection: For statements.
        days: Days that may be restored or not.
        now: Leave the days whose time is not over by then: somebody may have just extended it.
        lock_timeout_s: Longest that one try waits for the queries that read restored days, and that
            ingest and new queries wait behind it. Shorter than Postgres waits before it looks for
            deadlocks, so that it is us who give way.
        tries: How often it is tried; default: TRIES.

    Raises:
        StoreBusyError: Queries held the days for all that time; some may have been dropped.
    """
    dropped: list[date] = []
    for start in range(0, len(days), DAYS_PER_LOCK):
        step = list(days[start : start + DAYS_PER_LOCK])
        for left in reversed(range(tries or TRIES)):
            try:
                dropped += _drop_step(connection, step, now, lock_timeout_s)
                break
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if not left:
                    raise StoreBusyError(
                        f"{len(days) - len(dropped)} restored days are being read and stay for now: a query "
                        "holds activity_logs_archive",
                        days=days,
                    ) from error
                time.sleep(PAUSE_S)
    return dropped


def _drop_step(
    connection: Statements, days: list[date], now: datetime | None, lock_timeout_s: float
) -> list[date]:
    with connection.transaction():
        connection.execute(_SQL["set_lock_timeout"], {"timeout": f"{lock_timeout_s}s"})
        connection.execute(_SQL["lock_routes"])
        held = [row[0] for row in connection.execute(_SQL["lock_restored"], {"days": days, "now": now})]
        for day in held:
            connection.execute(_SQL["drop"], {"day": day})
    return held
