"""Connections to the Redis that holds the queue."""

from __future__ import annotations

import zlib
from typing import NewType

import redis

Shard = NewType("Shard", int)
LEGACY_LIST = b"activity_queue"


def connect(url: str, *, timeout_s: float = 5.0) -> redis.Redis:
    """Return a client for `redis://`, `rediss://` or `unix://`; nothing is sent yet.

    Retries are off: only the caller knows whether an append may be sent twice.
    """
    return redis.Redis.from_url(
        url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s, retry=None, decode_responses=False
    )


def stream_key(shard: Shard) -> bytes:
    """Return the stream's key; the braces spread shards over a Redis Cluster."""
    return b"activity:{%d}" % shard


def shard_of(producer: str, shards: int) -> Shard:
    """Return the one shard that a producer writes to, so that its sequence stays in order."""
    return Shard(zlib.crc32(producer.encode()) % shards)
