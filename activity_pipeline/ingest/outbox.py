"""The drain of an outbox: rows out of a table, into a batch as if each were an entry of the queue.

See hot/outbox.py for what a crash leaves. Drains of one outbox go on side by side: each takes rows
that no other has.
"""

from __future__ import annotations

import contextlib
import logging
import sys
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
from activity_pipeline.ingest.decode import decode_entries
from activity_pipeline.ingest.drain import MAX_BATCH_BYTES, POLL_S, DrainConfig, DrainReport
from activity_pipeline.queue.read import Entry, EntryId

logger = logging.getLogger(__name__)
COUNTED_ROWS = 1000


def drain_outbox(
    config: DrainConfig,
    number: int,
    known_in_archive: KnownInArchive,
    *,
    on_batch: Callable[[Batch, Stored], None] | None = None,
) -> DrainReport:
    """Drain one outbox until it has been idle or the budget is spent.

    An application's database that does not answer is reported and holds up nothing else.

    Args:
        config: Where and how.
        number: Which of `config.outboxes`.
        known_in_archive: Tells which late events the archive holds already.
        on_batch: Called after each commit.

    Raises:
        StoreError: The sink does not answer, or one of the two went away.
    """
    dsn = config.outboxes[number]
    with open_hot(config.postgres_dsn) as (statements, sink), contextlib.ExitStack() as stack:
        outbox = sink
        if dsn != config.postgres_dsn:
            try:
                outbox = stack.enter_context(open_outbox(dsn))
            except StoreError as error:
                logger.warning("outbox %d is left for later: %s", number + 1, error)
                return DrainReport(outboxes_away=[f"outbox {number + 1}: {error}"])
        return _OutboxDrain(config, number, known_in_archive, on_batch, statements, sink, outbox).run()


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


class _OutboxDrain:
    """One outbox's loop."""

    def __init__(
        self,
        config: DrainConfig,
        number: int,
        known_in_archive: KnownInArchive,
        on_batch: Callable[[Batch, Stored], None] | None,
        statements: Statements,
        sink: BulkConnection,
        outbox: BulkConnection,
    ) -> None:
        self.config = config
        # Below the numbers of the streams, so that a dead letter says where its row came from.
        self.shard = -1 - number
        self.known_in_archive = known_in_archive
        self.on_batch = on_batch
        self.statements = statements
        self.sink = sink
        self.outbox = outbox
        self.report = DrainReport()

    def run(self) -> DrainReport:
        started = last_row = time.monotonic()
        while time.monotonic() - started < self.config.budget_s:
            try:
                stored = self._one_batch()
            except adbc_driver_manager.Error as error:
                # A stream's batch holds the same events in another order.
                if not gave_way(error):
                    raise
                continue
            if stored:
                last_row = time.monotonic()
            elif time.monotonic() - last_row >= self.config.idle_s:
                break
            else:
                time.sleep(POLL_S)
        return self.report

    def _one_batch(self) -> bool:
        started = time.perf_counter()
        with claim_rows(
            self.outbox, self.sink, max_rows=self.config.batch_rows, max_bytes=MAX_BATCH_BYTES
        ) as claim:
            if not claim.rows:
                return False
            entries = [_entry(row) for row in claim.rows]
            known = refused_before(self.statements, self.shard, [entry.id for entry in entries])
            entries = [entry for entry in entries if entry.id not in known]
            if not entries:
                claim.delete()
                return True
            # All that was taken: what is left over would be deleted with the rest.
            batch = decode_entries(
                entries, self.config.rules, shard=self.shard, max_rows=sys.maxsize, max_bytes=sys.maxsize
            )
            hot_days.ensure_days(
                self.statements, batch.days, hot_since=hot_since(today(), self.config.hot_days)
            )
            stored = claim.store(batch, self.known_in_archive)
        if stored is None:
            return False
        self.report.add(batch, stored, time.perf_counter() - started)
        self.report.from_outbox += batch.received
        if self.on_batch:
            self.on_batch(batch, stored)
        return True


def _entry(row: OutboxRow) -> Entry:
    return Entry(EntryId(f"{row.milliseconds}-{row.id}"), {b"e": row.line, b"p": OUTBOX.encode()})
