"""How far the drain is behind: what waits in each stream after the offset that Postgres has stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
import redis

from activity_pipeline.errors import StoreError
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.offsets import read_offsets
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.guard import KEEPS_EVERYTHING, QueueHealth, inspect
from activity_pipeline.queue.lag import StreamLag, legacy_length, stream_lag
from activity_pipeline.queue.read import START, EntryId


@dataclass(frozen=True, slots=True)
class QueueLag:
    """The queue as a whole.

    Attributes:
        health: Redis itself.
        streams: One per shard.
        legacy_events: Events in the legacy list.
    """

    health: QueueHealth
    streams: list[StreamLag]
    legacy_events: int

    @property
    def is_trusted(self) -> bool:
        """Whether a drain would read this queue: Redis does not evict, and no stream lost its tail."""
        return self.health.eviction_policy == KEEPS_EVERYTHING and not any(
            stream.is_rewound for stream in self.streams
        )

    def as_figures(self) -> dict[str, Any]:
        """Return what a materialization says of the queue."""
        return {
            "queue_waiting_entries": sum(stream.waiting_entries for stream in self.streams),
            "queue_waiting_events": sum(stream.waiting_events for stream in self.streams)
            + self.legacy_events,
            "queue_oldest_s": max((stream.oldest_s for stream in self.streams), default=0.0),
            "queue_used_bytes": self.health.used_bytes,
            "queue_limit_bytes": self.health.limit_bytes,
            "queue_append_only": self.health.append_only,
            "queue_eviction_policy": self.health.eviction_policy,
            "queue_concerns": "; ".join(self.health.concerns) or "none",
        }


def read_lag(client: redis.Redis, offsets: Mapping[int, EntryId], *, shards: int) -> QueueLag:
    """Look at every stream from its stored offset, also at those that are drained no more.

    Args:
        client: The queue.
        offsets: As `hot.offsets.read_offsets` returns them; without one, all of a stream waits.
        shards: Number of streams.
    """
    return QueueLag(
        health=inspect(client),
        streams=[
            stream_lag(client, Shard(shard), offsets.get(shard, START))
            for shard in sorted({*range(shards), *offsets})
        ],
        legacy_events=legacy_length(client),
    )


def lag_figures(redis_url: str, postgres_dsn: str, *, shards: int) -> dict[str, Any]:
    """Return `QueueLag.as_figures`; none where a server went away, for what was drained is to be told."""
    try:
        with connect_queue(redis_url) as client, connect(postgres_dsn) as statements:
            return read_lag(client, read_offsets(statements), shards=shards).as_figures()
    except (redis.RedisError, psycopg.Error, StoreError):
        return {}
