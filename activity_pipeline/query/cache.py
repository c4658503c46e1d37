"""Answers that are asked for again, in Redis: another database of it than the queue's, or another Redis.

A key has the versions of all days that its answer is made of, so that an answer about settled days is
never out of date, however long it is kept. An open day changes all the time: an answer about it lives two
seconds. Of those who ask the same at once, one finds out and the others wait for him, in this process and
in others. Without Redis, each question is answered by looking.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import cast

import redis

from activity_pipeline.queue.connection import connect
from activity_pipeline.settings import Settings

OFF = "off"
PREFIX = b"activity:query:"
SETTLED_TTL_S = 300.0
OPEN_TTL_S = 2.0
TIMEOUT_S = 0.25
"""Longest that Redis may take: an answer is faster to find than that."""

REST_S = 5.0
"""How long Redis is left alone that did not answer."""

MAKING_S = 10.0
"""How long another process may take to find an answer before this one looks, too."""

POLL_S = 0.01
MOST_BYTES = 1024 * 1024
"""A larger answer is not kept."""

logger = logging.getLogger(__name__)


@dataclass
class Hits:
    """How often an answer was in the cache.

    Attributes:
        hits: It was.
        shared: Somebody else in this process was finding it.
        misses: It was not.
        errors: Redis did not answer.
    """

    hits: int = 0
    shared: int = 0
    misses: int = 0
    errors: int = 0

    @property
    def rate(self) -> float:
        """The share of hits, shared ones included, from 0 to 1."""
        asked = self.hits + self.shared + self.misses
        return (self.hits + self.shared) / asked if asked else 0.0


class AnswerCache:
    """Keeps answers. For many threads."""

    def __init__(self, client: redis.Redis) -> None:
        """Take a client of the database that answers are kept in."""
        self._client = client
        self._flights: dict[bytes, Future[bytes]] = {}
        self._lock = threading.Lock()
        self._rests_until = 0.0
        self.hits = Hits()

    def get(self, key: str, make: Callable[[], tuple[bytes, float]]) -> tuple[bytes, bool]:
        """Return an answer, and whether it was in the cache.

        Args:
            key: Its name.
            make: Finds it, and says how long it is kept, in seconds; 0 keeps it not at all.
        """
        name = PREFIX + key.encode()
        while True:
            with self._lock:
                flight = self._flights.get(name)
                if flight is None:
                    mine = self._flights[name] = Future()
            if flight is None:
                break
            try:
                answer = flight.result()
            except Exception:
                # Whoever was finding it gave up, or his question failed; that need not happen to this one.
                logger.debug("an answer that was waited for was not found")
                continue
            self._note("shared")
            return answer, True
        try:
            answer, was_there = self._through_redis(name, make)
        except BaseException as error:
            with self._lock:
                del self._flights[name]
            mine.set_exception(error)
            raise
        with self._lock:
            del self._flights[name]
        mine.set_result(answer)
        return answer, was_there

    def close(self) -> None:
        """Close the connections to Redis."""
        self._client.close()

    def _through_redis(self, name: bytes, make: Callable[[], tuple[bytes, float]]) -> tuple[bytes, bool]:
        lock = name + b":making"
        found = self._await(name, lock)
        if found is not None:
            self._note("hits")
            return found, True
        self._note("misses")
        try:
            answer, ttl_s = make()
            if ttl_s and len(answer) <= MOST_BYTES:
                self._try(lambda: self._client.set(name, answer, px=round(ttl_s * 1000)))
            return answer, False
        finally:
            self._try(lambda: self._client.delete(lock))

    def _await(self, name: bytes, lock: bytes) -> bytes | None:
        """Return what Redis has, or will have in a moment; None where this process is to find it."""
        deadline = time.monotonic() + MAKING_S
        while True:
            found = cast(bytes | None, self._try(lambda: self._client.get(name)))
            if found is not None:
                return found
            taken = self._try(lambda: self._client.set(lock, b"1", nx=True, px=round(MAKING_S * 1000)))
            if taken or time.monotonic() > deadline or time.monotonic() < self._rests_until:
                return None
            time.sleep(POLL_S)

    def _try(self, ask: Callable[[], object]) -> object:
        """Ask Redis; None where it does not answer, and for a while after that."""
        if time.monotonic() < self._rests_until:
            return None
        try:
            return ask()
        except (redis.RedisError, OSError) as error:
            logger.warning("answers are not kept, Redis does not take them: %s", type(error).__name__)
            self._rests_until = time.monotonic() + REST_S
            self._note("errors")
            return None

    def _note(self, what: str) -> None:
        with self._lock:
            setattr(self.hits, what, getattr(self.hits, what) + 1)


def open_cache(settings: Settings) -> AnswerCache | None:
    """Return the cache that the settings name; None where it is off. Nothing is sent yet."""
    if settings.cache_url == OFF:
        return None
    if settings.cache_url:
        return AnswerCache(connect(settings.cache_url, timeout_s=TIMEOUT_S))
    client = connect(settings.redis_url, timeout_s=TIMEOUT_S)
    places = client.connection_pool.connection_kwargs
    places["db"] = int(places.get("db") or 0) + 1
    return AnswerCache(client)
