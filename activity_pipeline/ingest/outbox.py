"""The drain of an outbox: rows out of a table, into a batch as if each were an entry of the queue.

See hot/outbox.py for what a crash leaves. Drains of one outbox go on side by side: each takes rows
that no other has.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence

import adbc_driver_manager
import psycopg

from activity_pipeline.errors import StoreError
from activity_pipeline.events.days import hot_since, today
from activity_pipeline.hot import days as hot_days
from activity_pipeline.hot.batch import OUTBOX, Batch, Stored
from activity_pipeline.hot.connection import BulkConnection, Statements, connect, gave_way, open_hot
from activity_pipeline.hot.outbox import OutboxRow, claim_rows, open_outbox, read_waiting, refused_before
from activity_pipeline.hot.writer import KnownInArchive
from activity_pipeline.ingest.config import GATHER_ROWS, DrainConfig
from activity_pipeline.ingest.decode import decode_entries
from activity_pipeline.ingest.reader import MAX_BATCH_BYTES
from activity_pipeline.ingest.report import DrainReport
from activity_pipeline.ingest.shard import POLL_S
from activity_pipeline.operations import measured
from activity_pipeline.queue.read import Entry, EntryId

logger = logging.getLogger(__name__)
COUNTED_ROWS = 1000


class OutboxDrain:
    """Drains one outbox over connections of its own."""

    def __init__(
        self,
        config: DrainConfig,
        number: int,
        known_in_archive: KnownInArchive,
        on_batch: Callable[[Batch, Stored], None] | None,
        stop: threading.Event,
    ) -> None:
        """Prepare to drain `config.outboxes[number]`; see `drain` for the other arguments."""
        self.config = config
        self.number = number
        # Below the numbers of the streams, so that a dead letter says where its row came from.
        self.shard = -1 - number
        self.known_in_archive = known_in_archive
        self.on_batch = on_batch
        self.stop = stop
        self.report = DrainReport()

    def run(self) -> DrainReport:
        """Drain until the outbox has been idle or the budget is spent.

        An application's database that does not answer is reported and holds up nothing else.
        """
        dsn = self.config.outboxes[self.number]
        if dsn == self.config.postgres_dsn and not self._has_rows():
            return self.report
        with open_hot(self.config.postgres_dsn) as (statements, sink), contextlib.ExitStack() as stack:
            outbox = sink
            if dsn != self.config.postgres_dsn:
                try:
                    outbox = stack.enter_context(open_outbox(dsn))
                except StoreError as error:
                    said = f"outbox {self.number + 1}: {error}"
                    logger.warning("left for later: %s", said)
                    self.report.outboxes_away.append(said)
                    return self.report
            self._until_idle(outbox, sink, statements)
        return self.report

    def _has_rows(self) -> bool:
        """Wait until a row is there; false where none came in time.

        Most outboxes beside the events are empty, and connecting in bulk is half of what a small drain costs.
        """
        until = time.monotonic() + min(self.config.idle_s, self.config.budget_s)
        with connect(self.config.postgres_dsn) as statements:
            try:
                while not read_waiting(statements, limit=1).rows:
                    if time.monotonic() >= until or self.stop.wait(POLL_S):
                        return False
            except psycopg.Error as error:
                raise StoreError(f"Postgres: {error}") from error
        return True

    def _until_idle(self, outbox: BulkConnection, sink: BulkConnection, statements: Statements) -> None:
        started = last_row = time.monotonic()
        while time.monotonic() - started < self.config.budget_s and not self.stop.is_set():
            since, received = time.perf_counter(), self.report.received
            stored = self._measured_batch(outbox, sink, statements)
            if stored is None:
                continue
            if stored:
                last_row = time.monotonic()
                self.report.seconds += time.perf_counter() - since
                if self.report.received - received < GATHER_ROWS:
                    self.stop.wait(self.config.gather_s)
            elif time.monotonic() - last_row >= self.config.idle_s:
                break
            else:
                time.sleep(POLL_S)

    def _measured_batch(
        self, outbox: BulkConnection, sink: BulkConnection, statements: Statements
    ) -> bool | None:
        """Store a batch and record how long that took; None: it gave way, and is to be tried anew."""
        received, refused = self.report.received, self.report.dead_lettered
        with measured("drain") as call:
            try:
                stored = self._one_batch(outbox, sink, statements)
            except adbc_driver_manager.Error as error:
                # A stream's batch holds the same events in another order.
                if not gave_way(error):
                    raise
                call.times = 0
                return None
            call.times, call.items = int(stored), self.report.received - received
            call.refused = self.report.dead_lettered - refused
        return stored

    def _one_batch(self, outbox: BulkConnection, sink: BulkConnection, statements: Statements) -> bool:
        """Take and store rows; return whether there were any."""
        limits = {"max_rows": self.config.batch_rows, "max_bytes": MAX_BATCH_BYTES}
        with claim_rows(outbox, sink, **limits) as claim:
            if not claim.rows:
                return False
            entries = [_entry(row) for row in claim.rows]
            known = refused_before(statements, self.shard, [entry.id for entry in entries])
            entries = [entry for entry in entries if entry.id not in known]
            if not entries:
                claim.delete()
                return True
            # All that was taken: what is left over would be deleted with the rest.
            batch = decode_entries(
                entries, self.config.rules, shard=self.shard, max_rows=sys.maxsize, max_bytes=sys.maxsize
            )
            hot_days.ensure_days(statements, batch.days, hot_since=hot_since(today(), self.config.hot_days))
            stored = claim.store(batch, self.known_in_archive)
        if stored is None:
            return False
        self.report.add(batch, stored)
        if self.on_batch:
            self.on_batch(batch, stored)
        return True


def _entry(row: OutboxRow) -> Entry:
    return Entry(EntryId(f"{row.milliseconds}-{row.id}"), {b"e": row.line, b"p": OUTBOX.encode()})


@contextlib.contextmanager
def watch_outboxes(dsns: Sequence[str]) -> Iterator[Callable[[], int]]:
    """Yield a function that counts what waits in the outboxes, each up to COUNTED_ROWS.

    One that does not answer counts as empty: its rows wait for it as well.
    """
    with contextlib.ExitStack() as stack:
        watched: list[Statements] = []
        for dsn in dsns:
            try:
                watched.append(stack.enter_context(connect(dsn)))
            except StoreError as error:
                logger.warning("an outbox is not watched: %s", error)

        def count() -> int:
            waiting = 0
            for connection in tuple(watched):
                try:
                    waiting += read_waiting(connection, limit=COUNTED_ROWS).rows
                except psycopg.Error as error:
                    logger.warning("an outbox is not watched: %s", error)
                    watched.remove(connection)
            return waiting

        yield count
