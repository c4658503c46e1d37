"""The drain: reads each stream after the offset in Postgres, stores batch by batch, then trims.

A batch is one transaction (hot/writer.py). A crash before its commit replays it, a crash after it
leaves entries in the stream that lie below the offset and are trimmed next time. Two drains take
turns: a batch holds the lock of its shard's row, and who does not get it waits as if idle.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date

import adbc_driver_manager
import redis

from activity_pipeline.events.days import hot_since, today
from activity_pipeline.events.model import Rules
from activity_pipeline.hot import days as hot_days
from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.connection import Statements, gave_way, open_hot
from activity_pipeline.hot.writer import KnownInArchive, ShardClaim, claim_shard
from activity_pipeline.ingest.decode import decode_entries
from activity_pipeline.queue.adopt import adopt_legacy_list
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.guard import inspect, refuse_eviction
from activity_pipeline.queue.read import (
    Entry,
    EntryId,
    check_not_rewound,
    order_of,
    read_after,
    trim_through,
)
from activity_pipeline.settings import Settings, split_list

logger = logging.getLogger(__name__)
POLL_S = 0.05
MAX_BATCH_BYTES = 64 * 1024 * 1024
MAX_READ_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class DrainConfig:
    """How to drain.

    Attributes:
        redis_url: The queue.
        postgres_dsn: The sink.
        shards: Number of streams.
        hot_days: Days that stay hot, today included.
        rules: What an event may be.
        batch_rows: Events that one transaction aims at.
        budget_s: Longest time to go on while events keep coming, seconds.
        idle_s: How long the queue must stay empty before the drain ends, seconds.
    """

    redis_url: str
    postgres_dsn: str
    shards: int = 1
    hot_days: int = 30
    rules: Rules = field(default_factory=Rules)
    batch_rows: int = 50_000
    budget_s: float = 3600.0
    idle_s: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> DrainConfig:
        """Take everything from the settings."""
        return cls(
            redis_url=settings.redis_url,
            postgres_dsn=settings.postgres_dsn,
            shards=settings.queue_shards,
            hot_days=settings.hot_days,
            rules=Rules(
                max_metadata_bytes=settings.max_metadata_bytes,
                max_ahead_hours=settings.max_ahead_hours,
                first_day=settings.first_day,
                allowed_sources=split_list(settings.allowed_sources),
                allowed_statuses=split_list(settings.allowed_statuses),
            ),
            batch_rows=settings.batch_rows,
            budget_s=settings.drain_budget_s,
            idle_s=settings.drain_idle_s,
        )


@dataclass(slots=True)
class DrainReport:
    """What a drain did.

    Attributes:
        adopted: Events moved over from the legacy list.
        batches: Transactions.
        received: Events taken from the queue.
        dead_lettered: Events refused.
        inserted: New events by day.
        duplicate: Events stored before, by day.
        seconds: Time spent on batches, without waiting for events.
    """

    adopted: int = 0
    batches: int = 0
    received: int = 0
    dead_lettered: int = 0
    inserted: Counter[date] = field(default_factory=Counter)
    duplicate: Counter[date] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def touched_days(self) -> list[date]:
        """Days that got new events, in order."""
        return sorted(day for day, count in self.inserted.items() if count)

    def add(self, batch: Batch, stored: Stored, seconds: float) -> None:
        """Count one more batch."""
        self.batches += 1
        self.received += batch.received
        self.dead_lettered += stored.dead_lettered
        self.inserted.update(stored.inserted)
        self.duplicate.update(stored.duplicate)
        self.seconds += seconds

    def merge(self, other: DrainReport) -> None:
        """Add what another shard's drain did."""
        self.adopted += other.adopted
        self.batches += other.batches
        self.received += other.received
        self.dead_lettered += other.dead_lettered
        self.inserted.update(other.inserted)
        self.duplicate.update(other.duplicate)
        self.seconds += other.seconds


def drain(
    config: DrainConfig,
    known_in_archive: KnownInArchive,
    *,
    on_batch: Callable[[Batch, Stored], None] | None = None,
    stop: threading.Event | None = None,
) -> DrainReport:
    """Drain all shards until the queue has been idle or the budget is spent.

    Args:
        config: Where and how.
        known_in_archive: Tells which late events the archive holds already.
        on_batch: Called after each commit, from the shard's thread.
        stop: Once set, the drain ends after the batch that it is at.

    Raises:
        QueueEvictsError: Redis may throw queued events away.
        QueueRewoundError: A stream ends below what Postgres has stored.
        StoreError: Postgres does not answer, or went away.
        redis.RedisError: Redis does not answer. Whatever is raised, what was committed stays.
    """
    with connect_queue(config.redis_url) as client:
        health = inspect(client)
    refuse_eviction(health)
    for concern in health.concerns:
        logger.warning("the queue: %s", concern)
    report = DrainReport()
    with ThreadPoolExecutor(config.shards, thread_name_prefix="drain") as pool:
        drains = [
            pool.submit(_ShardDrain(config, Shard(shard), known_in_archive, on_batch, stop).run)
            for shard in range(config.shards)
        ]
        for shard_drain in drains:
            report.merge(shard_drain.result())
    return report


class _ShardDrain:
    """One shard's loop with its own connections."""

    def __init__(
        self,
        config: DrainConfig,
        shard: Shard,
        known_in_archive: KnownInArchive,
        on_batch: Callable[[Batch, Stored], None] | None,
        stop: threading.Event | None,
    ) -> None:
        self.config = config
        self.shard = shard
        self.known_in_archive = known_in_archive
        self.on_batch = on_batch
        self.stop = stop or threading.Event()
        self.report = DrainReport()
        self.read_ahead: list[Entry] = []

    def run(self) -> DrainReport:
        with (
            connect_queue(self.config.redis_url) as client,
            open_hot(self.config.postgres_dsn) as (statements, bulk),
        ):
            started = last_event = time.monotonic()
            while time.monotonic() - started < self.config.budget_s and not self.stop.is_set():
                if self.shard == 0:
                    self.report.adopted += adopt_legacy_list(client, self.shard)
                try:
                    with claim_shard(bulk, self.shard, self.known_in_archive) as claim:
                        stored = claim is not None and self._one_batch(claim, client, statements)
                except adbc_driver_manager.Error as error:
                    # Another shard's batch holds the same events in another order.
                    if not gave_way(error):
                        raise
                    continue
                if stored:
                    last_event = time.monotonic()
                elif time.monotonic() - last_event >= self.config.idle_s:
                    break
                else:
                    time.sleep(POLL_S)
        return self.report

    def _one_batch(self, claim: ShardClaim, client: redis.Redis, statements: Statements) -> bool:
        offset = EntryId(claim.offset)
        check_not_rewound(client, self.shard, offset)
        started = time.perf_counter()
        entries = self._entries_after(offset, client)
        if not entries:
            # What a crash between commit and trim left behind.
            trim_through(client, self.shard, offset)
            return False
        batch = decode_entries(
            entries,
            self.config.rules,
            shard=self.shard,
            max_rows=self.config.batch_rows,
            max_bytes=MAX_BATCH_BYTES,
        )
        hot_days.ensure_days(statements, batch.days, hot_since=hot_since(today(), self.config.hot_days))
        stored = claim.store(batch)
        if stored is None:
            return False
        self.read_ahead = entries
        self.report.add(batch, stored, time.perf_counter() - started)
        trim_through(client, self.shard, EntryId(batch.through))
        if self.on_batch:
            self.on_batch(batch, stored)
        return True

    def _entries_after(self, offset: EntryId, client: redis.Redis) -> list[Entry]:
        """Return what an earlier read brought and no batch has taken, or else read on."""
        taken = bisect_right(self.read_ahead, order_of(offset), key=lambda entry: order_of(entry.id))
        return self.read_ahead[taken:] or read_after(
            client, self.shard, offset, max_entries=self.config.batch_rows, max_bytes=MAX_READ_BYTES
        )
