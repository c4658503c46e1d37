"""The legacy list `activity_queue` (LPUSH of one JSON each): its events move into a stream."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import cast

import redis

from activity_pipeline.queue.connection import LEGACY_LIST, Shard, stream_key

EVENTS_PER_MOVE = 1000


@cache
def _script() -> str:
    return (Path(__file__).parent / "adopt.lua").read_text()


def adopt_legacy_list(client: redis.Redis, shard: Shard) -> int:
    """Move all events of the list into `shard`, oldest first, atomically in steps; return how many."""
    move = client.register_script(_script())
    total = 0
    while moved := cast(int, move(keys=[LEGACY_LIST, stream_key(shard)], args=[EVENTS_PER_MOVE])):
        total += moved
    return total
