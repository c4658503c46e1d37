"""What the requests of one process share: Postgres, Redis, the logger, keys and the answers of a moment."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import TypeVar

import anyio
import anyio.to_thread
import psycopg
import redis
from psycopg_pool import PoolTimeout

from activity_pipeline.api.administration import Administration
from activity_pipeline.api.judging import Judging
from activity_pipeline.api.keys import READ_AGAIN_S, REFRESH_S, KeyRing
from activity_pipeline.api.memo import Memo
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.rates import Buckets
from activity_pipeline.api.reads import SOURCE
from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.analyst.search import ColdSearch
from activity_pipeline.errors import RequestError, StoreError
from activity_pipeline.hot.api_keys import list_keys, note_use
from activity_pipeline.hot.connection import (
    ReadingPool,
    Statements,
    reading_pool,
)
from activity_pipeline.ingest.config import DrainConfig
from activity_pipeline.producer.forwarding import Forwarder
from activity_pipeline.query import ActivityQuery
from activity_pipeline.query.cache import open_cache
from activity_pipeline.query.health import HealthWatch
from activity_pipeline.query.keeping import Keeper
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.settings import Settings

T = TypeVar("T")
CONNECTION_WAIT_S = 5.0
"""Longest that a request waits for a connection that others have."""

CLOSE_TIMEOUT_S = 5.0
"""Longest that the end of the process waits for Redis before the rest goes to the spool."""

_LOG = logging.getLogger("activity_pipeline.api")


class Backends:
    """Made when the application starts, closed when it ends; `read` and `ask` are for routes."""

    def __init__(self, settings: Settings) -> None:
        """Prepare; nothing is opened yet."""
        self.settings = settings
        self.keys = KeyRing()
        self.buckets = Buckets()
        self.memo = Memo()
        self.administration = Administration()
        self.followers = 0
        self.judging = Judging(DrainConfig.of(settings).rules)
        self.queue: redis.Redis = connect_queue(settings.redis_url)
        self.forwarder = Forwarder(
            settings.redis_url,
            source=SOURCE,
            shards=settings.queue_shards,
            spool_dir=settings.spool_path,
            spool_bytes=settings.spool_bytes,
        )
        self._pool: ReadingPool = reading_pool(
            settings.reader_dsn or settings.postgres_dsn,
            size=settings.api_connections,
            statement_timeout_s=settings.api_statement_timeout_s,
            wait_s=CONNECTION_WAIT_S,
        )
        cache = open_cache(settings)
        health = HealthWatch(self._pool.connection, self.queue, settings.queue_shards)
        self._cold = ColdSearch(ArchiveStore(settings.archive_root))
        self.query = ActivityQuery(self._pool.connection, self._cold, Keeper(cache, health))
        # A question holds a connection for a part of its time only.
        self.question_limiter = anyio.CapacityLimiter(2 * settings.api_connections)
        self._statement_limiter = anyio.CapacityLimiter(settings.api_connections)

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Open everything for as long as the block runs; Postgres and Redis may be away then."""
        await anyio.to_thread.run_sync(self._pool.open)
        keeping = asyncio.create_task(self._keep_keys())
        # The first verdict takes a second; nobody shall wait for it.
        warming = asyncio.create_task(self.judging.judge([b"{}"]))
        try:
            yield
        finally:
            keeping.cancel()
            await asyncio.gather(keeping, warming, return_exceptions=True)
            with contextlib.suppress(RequestError):
                await self._note_use()
            await self.forwarder.close(CLOSE_TIMEOUT_S)
            await anyio.to_thread.run_sync(self.query.close)
            await anyio.to_thread.run_sync(self._cold.close)
            await anyio.to_thread.run_sync(self._pool.close)
            self.queue.close()

    async def read(self, look: Callable[[Statements], T]) -> T:
        """Run `look` with a connection that reads, in a thread.

        Raises:
            RequestError: Postgres is away, or took too long.
        """

        def run() -> T:
            with self._pool.connection() as connection:
                return look(connection)

        try:
            return await anyio.to_thread.run_sync(run, limiter=self._statement_limiter)
        except psycopg.errors.QueryCanceled as error:
            raise _too_long() from error
        except (PoolTimeout, psycopg.Error, StoreError) as error:
            raise _away("Postgres", error) from error

    async def ask(self, look: Callable[[redis.Redis], T]) -> T:
        """Run `look` with the queue's Redis, in a thread.

        Raises:
            RequestError: Redis is away.
        """
        try:
            return await anyio.to_thread.run_sync(look, self.queue)
        except (redis.RedisError, OSError) as error:
            raise _away("Redis", error) from error

    async def read_keys(self) -> None:
        """Read the keys, once for all who want that now; while Postgres is away the known ones stay.

        Not at once where they were read just now: so whoever tries keys out has to wait, and a key that
        was made a moment ago is found.
        """
        await asyncio.sleep(max(0.0, READ_AGAIN_S - self.keys.age_s))
        with contextlib.suppress(RequestError):
            await self.memo.get("keys", 0.0, self._read_keys)

    async def _read_keys(self) -> None:
        self.keys.put(await self.read(list_keys))

    async def _note_use(self) -> None:
        if used := self.keys.take_used():
            await self.read(lambda connection: note_use(connection, used))

    async def _keep_keys(self) -> None:
        while True:
            await self.read_keys()
            with contextlib.suppress(RequestError):
                await self._note_use()
            await asyncio.sleep(REFRESH_S)


def _away(server: str, error: Exception) -> RequestError:
    _LOG.warning("%s is away: %s", server, type(error).__name__)
    return refusal("unavailable", f"{server} does not answer now.", {"retry-after": "5"})


def _too_long() -> RequestError:
    return refusal("unavailable", "Finding this took too long; ask for less.", {"retry-after": "5"})
