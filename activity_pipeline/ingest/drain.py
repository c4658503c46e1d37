"""The drain: all sources at once.

Each shard of the queue is read ahead while it is stored (ingest/shard.py); the outboxes go on beside
them (ingest/outbox.py).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.writer import KnownInArchive
from activity_pipeline.ingest.config import DrainConfig
from activity_pipeline.ingest.outbox import OutboxDrain
from activity_pipeline.ingest.report import DrainReport
from activity_pipeline.ingest.shard import ShardDrain
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.guard import inspect, refuse_eviction

logger = logging.getLogger(__name__)


def drain(
    config: DrainConfig,
    known_in_archive: KnownInArchive,
    *,
    on_batch: Callable[[Batch, Stored], None] | None = None,
    stop: threading.Event | None = None,
) -> DrainReport:
    """Drain all shards and outboxes, each until it has been idle or the budget is spent.

    Args:
        config: Where and how.
        known_in_archive: Tells which late events the archive holds already.
        on_batch: Called after each commit, from the source's thread.
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
    stop = stop or threading.Event()
    more = (known_in_archive, on_batch, stop)
    sources: list[ShardDrain | OutboxDrain] = [
        *(ShardDrain(config, Shard(shard), *more) for shard in range(config.shards)),
        *(OutboxDrain(config, number, *more) for number in range(len(config.outboxes))),
    ]
    with ThreadPoolExecutor(len(sources), thread_name_prefix="drain") as pool:
        for drained in [pool.submit(source.run) for source in sources]:
            report.merge(drained.result())
    return report
