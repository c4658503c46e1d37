"""Reading a stream after an offset, and trimming what the sink has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NewType, cast

import redis

from activity_pipeline.errors import QueueRewoundError
from activity_pipeline.queue.connection import LEGACY_LIST, Shard, stream_key

EntryId = NewType("EntryId", str)
START = EntryId("0-0")


@dataclass(frozen=True, slots=True)
class Entry:
    """One stream entry as Redis holds it.

    Attributes:
        id: `<milliseconds>-<counter>`.
        fields: Undecoded; see `activity_pipeline.events.frame`.
    """

    id: EntryId
    fields: dict[bytes, bytes]

    @property
    def milliseconds(self) -> int:
        """When Redis took the entry, Unix milliseconds."""
        return order_of(self.id)[0]

    @property
    def size_bytes(self) -> int:
        """Bytes of all the values."""
        return sum(map(len, self.fields.values()))


def order_of(entry: EntryId) -> tuple[int, int]:
    """Return an id's place in the stream: (milliseconds, counter)."""
    milliseconds, _, counter = entry.partition("-")
    return int(milliseconds), int(counter)


def read_after(
    client: redis.Redis, shard: Shard, offset: EntryId, *, max_entries: int, max_bytes: int
) -> list[Entry]:
    """Return entries after `offset`, in order.

    Asks for more entries only while fewer than `max_bytes` were read, so that a stream of large
    frames does not fill the memory; at least one entry is returned where there is one.
    """
    entries: list[Entry] = []
    size_bytes, step, last = 0, 8, offset
    while len(entries) < max_entries and size_bytes < max_bytes:
        step = min(step, max_entries - len(entries))
        reply = cast(list[Any], client.xrange(stream_key(shard), min=f"({last}", count=step))
        page = [Entry(EntryId(entry_id.decode()), fields) for entry_id, fields in reply]
        entries += page
        if len(reply) < step:
            break
        last = page[-1].id
        size_bytes += sum(entry.size_bytes for entry in page)
        average = max(size_bytes // len(entries), 1)
        step = max(1, min(256, (max_bytes - size_bytes) // average))
    return entries


def trim_through(client: redis.Redis, shard: Shard, offset: EntryId) -> int:
    """Delete entries up to and including `offset`; return how many. Only after the sink committed them."""
    milliseconds, counter = order_of(offset)
    return client.xtrim(stream_key(shard), minid=f"{milliseconds}-{counter + 1}", approximate=False)


def last_id(client: redis.Redis, shard: Shard) -> EntryId:
    """Return the id of the newest entry that the stream ever had, `0-0` for no stream."""
    try:
        info = client.xinfo_stream(stream_key(shard))
    except redis.ResponseError as error:
        if "no such key" in str(error):
            return START
        raise
    return EntryId(info["last-generated-id"].decode())


def check_not_rewound(client: redis.Redis, shard: Shard, offset: EntryId) -> None:
    """Compare the stream's newest id with the offset that the sink stored.

    Raises:
        QueueRewoundError: With `shard`, `last_id` and `offset`. New entries could be given ids
            that the sink takes for seen ones, so nothing is read.
    """
    newest = last_id(client, shard)
    if order_of(newest) < order_of(offset):
        raise QueueRewoundError(
            f"stream {stream_key(shard).decode()} ends at {newest}, but Postgres has stored up to {offset}: "
            "Redis was restored from an older copy or lost its tail. Start the stream above the offset "
            f"(XADD with an id > {offset}, or XSETID), then drain again; the ledger shows what is missing.",
            shard=shard,
            last_id=newest,
            offset=offset,
        )


def backlog(client: redis.Redis, shards: int) -> int:
    """Return entries that wait in all streams and in the legacy list."""
    pipeline = client.pipeline(transaction=False)
    for shard in range(shards):
        pipeline.xlen(stream_key(Shard(shard)))
    pipeline.llen(LEGACY_LIST.decode())
    return sum(cast(list[int], pipeline.execute()))
