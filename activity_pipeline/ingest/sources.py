"""All that events come from, drained side by side: the queue and the outboxes."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.writer import KnownInArchive
from activity_pipeline.ingest.drain import DrainConfig, DrainReport, drain_queue
from activity_pipeline.ingest.outbox import drain_outbox


def drain(
    config: DrainConfig,
    known_in_archive: KnownInArchive,
    *,
    on_batch: Callable[[Batch, Stored], None] | None = None,
) -> DrainReport:
    """Drain the queue and the outboxes, each until it has been idle or the budget is spent.

    Args:
        config: Where and how.
        known_in_archive: Tells which late events the archive holds already.
        on_batch: Called after each commit, from the thread of its source.

    Raises:
        QueueEvictsError: Redis may throw queued events away.
        QueueRewoundError: A stream ends below what Postgres has stored.
        StoreError: Postgres does not answer, or went away.
        redis.RedisError: Redis does not answer. Whatever is raised, what was committed stays.
    """
    report = DrainReport()
    with ThreadPoolExecutor(1 + len(config.outboxes), thread_name_prefix="drain") as pool:
        drains = [
            pool.submit(drain_queue, config, known_in_archive, on_batch=on_batch),
            *(
                pool.submit(drain_outbox, config, number, known_in_archive, on_batch=on_batch)
                for number in range(len(config.outboxes))
            ),
        ]
        for source in drains:
            report.merge(source.result())
    return report
