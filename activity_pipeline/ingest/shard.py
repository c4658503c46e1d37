"""One shard's loop: take a batch that was read ahead, store it, trim the stream.

A batch is one transaction (hot/writer.py) and is read before its shard is locked: it is stored only
where the offset under the lock is the one that it was read after. A crash before the commit replays
it, a crash after it leaves entries in the stream that lie below the offset and are trimmed next
time. Two drains take turns: who does not get the lock waits as if idle.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import adbc_driver_manager
import redis

from activity_pipeline.events.days import hot_since, today
from activity_pipeline.hot import days as hot_days
from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.connection import BulkConnection, Statements, gave_way, open_hot
from activity_pipeline.hot.offsets import read_offsets
from activity_pipeline.hot.writer import KnownInArchive, claim_shard
from activity_pipeline.ingest.config import DrainConfig
from activity_pipeline.ingest.reader import ReadBatch, Reader
from activity_pipeline.ingest.report import DrainReport
from activity_pipeline.operations import measured
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.read import START, EntryId, trim_through

POLL_S = 0.05


class ShardDrain:
    """Drains one shard over connections of its own."""

    def __init__(
        self,
        config: DrainConfig,
        shard: Shard,
        known_in_archive: KnownInArchive,
        on_batch: Callable[[Batch, Stored], None] | None,
        stop: threading.Event,
    ) -> None:
        """Prepare; see `drain` for the arguments."""
        self.config = config
        self.shard = shard
        self.known_in_archive = known_in_archive
        self.on_batch = on_batch
        self.stop = stop
        self.report = DrainReport()

    def run(self) -> DrainReport:
        """Drain until the stream has been idle or the budget is spent."""
        with (
            connect_queue(self.config.redis_url) as client,
            open_hot(self.config.postgres_dsn) as (statements, bulk),
            Reader(self.config, self.shard, client) as reader,
        ):
            self._go_on_after(self._offset(statements), reader, client)
            read: ReadBatch | None = None
            started = last_event = time.monotonic()
            while time.monotonic() - started < self.config.budget_s and not self.stop.is_set():
                since = time.perf_counter()
                read = read or reader.take()
                if read is not None and self._stored(read, statements, bulk):
                    trim_through(client, self.shard, EntryId(read.batch.through))
                    read = None
                    self.report.seconds += time.perf_counter() - since
                    last_event = time.monotonic()
                    continue
                if time.monotonic() - last_event >= self.config.idle_s:
                    break
                time.sleep(POLL_S)
                offset = self._offset(statements)
                if read is None or read.after != offset:
                    self._go_on_after(offset, reader, client)
                    read = None
        self.report.adopted = reader.adopted
        return self.report

    def _offset(self, statements: Statements) -> EntryId:
        return read_offsets(statements).get(self.shard, START)

    def _go_on_after(self, offset: EntryId, reader: Reader, client: redis.Redis) -> None:
        trim_through(client, self.shard, offset)  # what a crash between commit and trim left behind
        reader.seek(offset)

    def _stored(self, read: ReadBatch, statements: Statements, bulk: BulkConnection) -> bool:
        with measured("drain") as call:
            refused_before = self.report.dead_lettered
            stored = self._store(read, statements, bulk)
            call.times, call.items = int(stored), read.batch.received
            call.refused = self.report.dead_lettered - refused_before
        return stored

    def _store(self, read: ReadBatch, statements: Statements, bulk: BulkConnection) -> bool:
        """Store a batch; return whether it was this drain that did."""
        batch = read.batch
        hot_days.ensure_days(statements, batch.days, hot_since=hot_since(today(), self.config.hot_days))
        while True:
            try:
                with claim_shard(bulk, self.shard, self.known_in_archive) as claim:
                    if claim is None or claim.offset != read.after:
                        return False
                    stored = claim.store(batch)
            except adbc_driver_manager.Error as error:
                # Another shard's batch holds the same events in another order.
                if not gave_way(error):
                    raise
                continue
            if stored is None:
                return False
            self.report.add(batch, stored)
            if self.on_batch:
                self.on_batch(batch, stored)
            return True
