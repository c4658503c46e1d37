"""How far the pipeline is behind, for what an answer says of itself; no question waits for it."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg
import redis

from activity_pipeline.errors import ActivityError
from activity_pipeline.hot.ledger import read_ledger
from activity_pipeline.hot.offsets import read_offsets
from activity_pipeline.ingest.lag import read_lag
from activity_pipeline.query.answers import QueueHealth
from activity_pipeline.query.lending import Connections

QUEUE_TTL_S = 2.0
LEDGER_TTL_S = 60.0
"""The ledger counts every row: with 10 M hot rows that takes a second."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Health:
    """The pipeline, as last seen.

    Attributes:
        queue: What waits in Redis; None where Redis does not answer.
        residual: The ledger's; None where it was not read yet.
        ledger_at: When the ledger was read.
    """

    queue: QueueHealth | None = None
    residual: int | None = None
    ledger_at: datetime | None = None


class HealthWatch:
    """Looks at queue and ledger now and then, in the background. For many threads."""

    def __init__(self, connections: Connections, queue: redis.Redis | None, shards: int) -> None:
        """Take where to look; nothing is looked at yet."""
        self._connections = connections
        self._queue = queue
        self._shards = shards
        self._seen = Health()
        self._lock = threading.Lock()
        self._queue_at = self._ledger_at = float("-inf")
        self._thread: threading.Thread | None = None

    def seen(self) -> Health:
        """Return what was seen last; has it looked at again where that was long ago."""
        with self._lock:
            is_due = time.monotonic() - self._queue_at > QUEUE_TTL_S
            if is_due and (self._thread is None or not self._thread.is_alive()):
                self._thread = threading.Thread(target=self.look, name="query-health", daemon=True)
                self._thread.start()
            return self._seen

    def look(self) -> Health:
        """Look now."""
        try:
            queue = self._look_at_queue()
        except (redis.RedisError, OSError, ActivityError, psycopg.Error) as error:
            logger.warning("what waits in the queue is not known: %s", type(error).__name__)
            queue = None
        self._queue_at = time.monotonic()
        self._seen = Health(queue, self._seen.residual, self._seen.ledger_at)
        if time.monotonic() - self._ledger_at > LEDGER_TTL_S:
            self._ledger_at = time.monotonic()
            try:
                with self._connections() as connection:
                    residual = read_ledger(connection).residual
                self._seen = Health(queue, residual, datetime.now(UTC))
            except (ActivityError, psycopg.Error) as error:
                logger.warning("the ledger was not read: %s", type(error).__name__)
        return self._seen

    def close(self) -> None:
        """Wait for a look that is under way."""
        if self._thread is not None:
            self._thread.join(LEDGER_TTL_S)

    def _look_at_queue(self) -> QueueHealth | None:
        if self._queue is None:
            return None
        with self._connections() as connection:
            offsets = read_offsets(connection)
        figures = read_lag(self._queue, offsets, shards=self._shards).as_figures()
        return QueueHealth(waiting_events=figures["queue_waiting_events"], oldest_s=figures["queue_oldest_s"])
