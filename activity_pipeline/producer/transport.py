"""The way to Redis. Apart from the rest because importing redis takes longer than all of it.

Only the delivery thread imports this module, when it first has something to send.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

import redis

from activity_pipeline.errors import QueueError, QueueTimeoutError
from activity_pipeline.queue.append import append_encoded
from activity_pipeline.queue.connection import connect, shard_of


class Transport(Protocol):
    """Takes stream entries to the queue."""

    def send(self, producer: str, entries: Sequence[Mapping[bytes, bytes]]) -> None:
        """Append entries of one producer in order, all or none.

        Raises:
            QueueError: The queue is away, full or read-only; whether it took them is unknown.
            QueueTimeoutError: It did not answer in time.
        """


class RedisTransport:
    """Appends to the one stream that a producer writes to."""

    def __init__(self, url: str, shards: int) -> None:
        """Prepare a client; nothing is sent yet."""
        self._client = connect(url)
        self._shards = shards

    def send(self, producer: str, entries: Sequence[Mapping[bytes, bytes]]) -> None:
        """See `Transport.send`."""
        try:
            append_encoded(self._client, shard_of(producer, self._shards), entries)
        except (redis.RedisError, OSError) as error:
            # Every refusal counts as away: out of memory, loading, read-only, no permission. Before
            # the server's own words redis quotes the command: events do not belong into a log file.
            words = str(error).rpartition("caused error: ")[2]
            away = QueueTimeoutError if isinstance(error, (redis.TimeoutError, TimeoutError)) else QueueError
            raise away(f"{type(error).__name__}: {words}") from None
