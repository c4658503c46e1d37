"""How much waits in a stream, and for how long."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, cast

import redis

from activity_pipeline.queue.connection import LEGACY_LIST, Shard, stream_key
from activity_pipeline.queue.read import EntryId, last_id, order_of

SAMPLED_ENTRIES = 100
"""Entries whose events are counted; the events of further ones are estimated from them."""


@dataclass(frozen=True, slots=True)
class StreamLag:
    """One stream, seen from an offset.

    Attributes:
        shard: Its number.
        entries: Entries in it, stored ones that are not trimmed yet included.
        offset: The last entry that Postgres has.
        last_id: The newest entry that the stream ever had.
        waiting_entries: Entries after the offset.
        waiting_events: Their events; an estimate beyond SAMPLED_ENTRIES entries.
        oldest_s: Age of the oldest of them, in seconds by the clock of Redis; 0 where none waits.
        is_rewound: Whether the stream ends below the offset: it lost its tail, or was restored.
    """

    shard: Shard
    entries: int
    offset: EntryId
    last_id: EntryId
    waiting_entries: int
    waiting_events: int
    oldest_s: float
    is_rewound: bool


@cache
def _script() -> str:
    return (Path(__file__).parent / "lag.lua").read_text()


def stream_lag(client: redis.Redis, shard: Shard, offset: EntryId) -> StreamLag:
    """Look at a stream from the last entry that Postgres has; no frame leaves Redis."""
    look = client.register_script(_script())
    answer = cast(list[Any], look(keys=[stream_key(shard)], args=[offset, SAMPLED_ENTRIES]))
    entries, stored, oldest, sampled, events = answer
    waiting = entries - stored
    newest = last_id(client, shard)
    return StreamLag(
        shard=shard,
        entries=entries,
        offset=offset,
        last_id=newest,
        waiting_entries=waiting,
        waiting_events=round(events * waiting / sampled) if sampled else 0,
        oldest_s=_age_s(client, EntryId(oldest.decode())) if oldest else 0.0,
        is_rewound=order_of(newest) < order_of(offset),
    )


def legacy_length(client: redis.Redis) -> int:
    """Return the events in the legacy list, which a drain moves into a stream."""
    return client.llen(LEGACY_LIST.decode())


def stored_in(client: redis.Redis, shards: Iterable[Shard]) -> Iterator[tuple[str, int, int]]:
    """Yield the legacy list, and each stream, that holds anything: its key, entries and bytes of memory.

    Entries count until they are trimmed, also those that Postgres has by now.
    """
    # The list first: what moves from it into a stream meanwhile is counted twice rather than not at all.
    for key in (LEGACY_LIST, *map(stream_key, shards)):
        entries = legacy_length(client) if key == LEGACY_LIST else client.xlen(key)
        if entries:
            yield key.decode(), entries, client.memory_usage(key, samples=0) or 0


def _age_s(client: redis.Redis, entry: EntryId) -> float:
    seconds, microseconds = client.time()
    return round(max(seconds + microseconds / 1e6 - order_of(entry)[0] / 1000, 0.0), 3)
