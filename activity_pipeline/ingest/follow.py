"""The follower: drains for as long as its process lives, and tells Dagster what it stored.

It waits for events, so that they are stored a moment after they were sent and not after a run of
Dagster's has started. It outlives both servers: where one goes away it tries again, each time after
a longer pause. While it is at work it holds a lock that keeps Dagster's sensor from starting drains;
while it cannot work it does not, so that those fail, and are heard of, as ever.

What a day's report may have been lost for (the follower was killed, or a server between the commit
and the report) is found again after each connection: a day that changed since its metrics were
computed is reported once more.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import redis

from activity_pipeline.errors import ActivityError
from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.follower import following, still_following
from activity_pipeline.hot.results import stale_days
from activity_pipeline.hot.writer import KnownInArchive
from activity_pipeline.ingest.config import DrainConfig
from activity_pipeline.ingest.drain import drain
from activity_pipeline.ingest.outbox import watch_outboxes
from activity_pipeline.ingest.report import DrainReport
from activity_pipeline.ingest.reporting import DagsterReporter, reporting
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.guard import inspect
from activity_pipeline.queue.read import backlog

logger = logging.getLogger(__name__)
POLL_S = 0.05
PING_S = 5.0
"""How often the session that holds the lock is asked for a sign of life."""

IDLE_S = 1.0
"""How long a drain's connections stay open after its last event."""

GATHER_S = 0.2
"""How long events gather after a small batch: a hundred of them a second cost a commit each otherwise."""

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0


def follow(
    config: DrainConfig,
    known_in_archive: KnownInArchive,
    reporter: DagsterReporter,
    stop: threading.Event,
    *,
    report_interval_s: float,
) -> DrainReport:
    """Drain until told to stop; ends after the batch that it is at.

    Args:
        config: Where and how; its budget and idle time are the follower's own.
        known_in_archive: Tells which late events the archive holds already.
        reporter: Takes what was drained.
        stop: Set it, from a signal handler or another thread, to end.
        report_interval_s: How often to report, seconds.

    Returns:
        What it did in all its time.
    """
    own = replace(config, idle_s=IDLE_S, budget_s=report_interval_s, gather_s=GATHER_S)
    with reporting(reporter, report_interval_s):
        return _Follower(own, known_in_archive, reporter, stop).run()


class _Follower:
    def __init__(
        self,
        config: DrainConfig,
        known_in_archive: KnownInArchive,
        reporter: DagsterReporter,
        stop: threading.Event,
    ) -> None:
        self.config = config
        self.known_in_archive = known_in_archive
        self.reporter = reporter
        self.stop = stop
        self.total = DrainReport()
        self.counting = threading.Lock()
        self.pause_s = FIRST_PAUSE_S
        self.trouble = ""

    def run(self) -> DrainReport:
        while not self.stop.is_set():
            try:
                with (
                    following(self.config.postgres_dsn) as session,
                    connect_queue(self.config.redis_url) as client,
                    watch_outboxes(self.config.outboxes) as outbox_rows,
                ):
                    self._while_connected(session, client, outbox_rows)
            except (ActivityError, redis.RedisError) as error:
                self._wait_after(error)
        return self.total

    def _while_connected(
        self, session: Statements, client: redis.Redis, outbox_rows: Callable[[], int]
    ) -> None:
        for concern in inspect(client).concerns:
            logger.warning("the queue: %s", concern)
        self.reporter.touch(dict.fromkeys(stale_days(session, "metrics"), 0))
        pinged = time.monotonic()
        while not self.stop.is_set():
            if backlog(client, self.config.shards) or outbox_rows():
                self._drain()
            else:
                self.stop.wait(POLL_S)
            if time.monotonic() - pinged >= PING_S:
                still_following(session)
                pinged = time.monotonic()
            self._recovered()

    def _drain(self) -> None:
        """Drain while events come, at the most until the next report, which says how long it took."""
        report = drain(self.config, self.known_in_archive, on_batch=self._count, stop=self.stop)
        if report.batches or report.adopted:
            self._add(DrainReport(adopted=report.adopted, seconds=report.seconds))

    def _count(self, batch: Batch, stored: Stored) -> None:
        """Count a batch right after its commit: an error later on in its drain must not unsay it."""
        report = DrainReport()
        report.add(batch, stored)
        self._add(report)

    def _add(self, report: DrainReport) -> None:
        with self.counting:
            self.total.merge(report)
        self.reporter.add(report)

    def _wait_after(self, error: Exception) -> None:
        if str(error) != self.trouble:
            logger.error("cannot drain, will try again: %s", error)
        self.trouble = str(error)
        self.stop.wait(self.pause_s)
        self.pause_s = min(2 * self.pause_s, LONGEST_PAUSE_S)

    def _recovered(self) -> None:
        if self.trouble:
            logger.info("draining again")
        self.trouble = ""
        self.pause_s = FIRST_PAUSE_S
