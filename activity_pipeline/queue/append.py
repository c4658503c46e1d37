"""Appending frames to a stream."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import cast

import redis

from activity_pipeline.events import frame as wire
from activity_pipeline.events.frame import Frame
from activity_pipeline.queue.connection import Shard, stream_key


def append(client: redis.Redis, shard: Shard, frames: Iterable[Frame]) -> list[bytes]:
    """Append frames in order, in one round trip; return their entry ids. See `append_encoded`."""
    return append_encoded(client, shard, map(wire.encode, frames))


def append_encoded(
    client: redis.Redis, shard: Shard, entries: Iterable[Mapping[bytes, bytes]]
) -> list[bytes]:
    """Append entries in order, all or none of them, in one round trip; return their ids.

    One transaction: where Redis refuses one entry (out of memory), it must not take the next,
    or the producer's sequence would arrive out of order.

    Raises:
        redis.RedisError: What was appended is unknown. Sending the same entries again is safe:
            ids repeat and the sink counts the second copy as a redelivery.
    """
    pipeline = client.pipeline(transaction=True)
    for entry in entries:
        pipeline.xadd(stream_key(shard), dict(entry))  # type: ignore[arg-type]
    return cast(list[bytes], pipeline.execute())
