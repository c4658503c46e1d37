"""Streams keep what was appended, in order, until it is trimmed; reading them never fills the memory."""

from __future__ import annotations

import threading

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_pipeline.errors import QueueRewoundError
from activity_pipeline.events.frame import Frame
from activity_pipeline.events.frame import decode as decode_frame
from activity_pipeline.queue.append import append, append_encoded
from activity_pipeline.queue.connection import LEGACY_LIST, Shard, shard_of, stream_key
from activity_pipeline.queue.read import (
    START,
    EntryId,
    backlog,
    check_not_rewound,
    last_id,
    order_of,
    read_after,
    trim_through,
)
from activity_pipeline_tests.conftest import Running

SHARD = Shard(0)
EVERYTHING = {"max_entries": 10_000, "max_bytes": 10**9}


@pytest.fixture
def queue(running: Running) -> redis.Redis:
    return running.queue


def test_frames_come_back_in_order(queue: redis.Redis) -> None:
    frames = [Frame(body=b'{"n":%d}\n' % n, count=1, producer="p", sequence=n) for n in range(100)]
    ids = append(queue, SHARD, frames)
    entries = read_after(queue, SHARD, START, **EVERYTHING)
    assert [entry.id.encode() for entry in entries] == ids
    assert [decode_frame(entry.fields) for entry in entries] == frames
    assert [order_of(entry.id) for entry in entries] == sorted(order_of(entry.id) for entry in entries)
    assert read_after(queue, SHARD, entries[40].id, **EVERYTHING) == entries[41:]
    assert read_after(queue, SHARD, entries[-1].id, **EVERYTHING) == []


def test_an_entry_of_another_language_is_read(queue: redis.Redis) -> None:
    queue.xadd(stream_key(SHARD), {"e": '{"source":"php","action":"a"}'})
    (entry,) = read_after(queue, SHARD, START, **EVERYTHING)
    assert decode_frame(entry.fields) == Frame(body=b'{"source":"php","action":"a"}')


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 2000), min_size=1, max_size=60),
    max_entries=st.integers(1, 70),
    max_bytes=st.integers(1, 20_000),
)
def test_bounded_reads_lose_nothing(
    queue: redis.Redis, sizes: list[int], max_entries: int, max_bytes: int
) -> None:
    queue.flushall()
    ids = append_encoded(queue, SHARD, [{b"e": bytes(size)} for size in sizes])
    offset, read = START, []
    while entries := read_after(queue, SHARD, offset, max_entries=max_entries, max_bytes=max_bytes):
        assert len(entries) <= max_entries
        read += entries
        offset = entries[-1].id
    assert [entry.id.encode() for entry in read] == ids


def test_a_read_stops_once_it_has_its_bytes(queue: redis.Redis) -> None:
    append_encoded(queue, SHARD, [{b"e": bytes(100_000)}] * 200)
    entries = read_after(queue, SHARD, START, max_entries=10_000, max_bytes=1_000_000)
    assert 10 <= len(entries) <= 18
    assert sum(entry.size_bytes for entry in entries) < 2_000_000


def test_trimming_takes_what_was_stored_and_nothing_else(queue: redis.Redis) -> None:
    append_encoded(queue, SHARD, [{b"e": b"x"}] * 10)
    entries = read_after(queue, SHARD, START, **EVERYTHING)
    assert trim_through(queue, SHARD, entries[3].id) == 4
    assert trim_through(queue, SHARD, entries[3].id) == 0
    assert read_after(queue, SHARD, START, **EVERYTHING) == entries[4:]
    assert trim_through(queue, SHARD, entries[-1].id) == 6
    assert last_id(queue, SHARD) == entries[-1].id


def test_the_backlog_counts_all_that_waits(queue: redis.Redis) -> None:
    assert backlog(queue, 3) == 0
    for shard in range(3):
        append_encoded(queue, Shard(shard), [{b"e": b"x"}] * (shard + 1))
    queue.lpush(LEGACY_LIST, *[b"{}"] * 10)
    assert backlog(queue, 3) == 16
    assert backlog(queue, 1) == 11


def test_a_rewound_stream_is_an_error(queue: redis.Redis) -> None:
    assert last_id(queue, SHARD) == START
    check_not_rewound(queue, SHARD, START)
    (first,) = append_encoded(queue, SHARD, [{b"e": b"x"}])
    newest = EntryId(first.decode())
    check_not_rewound(queue, SHARD, newest)
    trim_through(queue, SHARD, newest)
    check_not_rewound(queue, SHARD, newest)
    queue.delete(stream_key(SHARD))
    with pytest.raises(QueueRewoundError) as caught:
        check_not_rewound(queue, SHARD, newest)
    assert vars(caught.value) == {"shard": SHARD, "last_id": START, "offset": newest}


def test_a_transaction_that_redis_refuses_leaves_nothing(queue: redis.Redis) -> None:
    queue.config_set("maxmemory", str(queue.info("memory")["used_memory"]))
    try:
        with pytest.raises(redis.RedisError):
            append_encoded(queue, SHARD, [{b"e": bytes(1_000_000)}] * 5)
    finally:
        queue.config_set("maxmemory", "0")
    assert backlog(queue, 1) == 0


def test_a_producer_stays_on_its_shard() -> None:
    producers = [f"producer-{n}" for n in range(200)]
    assert {shard_of(producer, 4) for producer in producers} == {0, 1, 2, 3}
    assert [shard_of(producer, 4) for producer in producers] == [shard_of(one, 4) for one in producers]
    assert {shard_of(producer, 1) for producer in producers} == {0}


def test_entries_appended_while_others_read_are_seen_once(queue: redis.Redis) -> None:
    total = 2000

    def write() -> None:
        for start in range(0, total, 50):
            append_encoded(queue, SHARD, [{b"e": b"%d" % (start + n)} for n in range(50)])

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[int] = []
    offset = START
    while writer.is_alive() or read_after(queue, SHARD, offset, max_entries=1, max_bytes=1):
        entries = read_after(queue, SHARD, offset, max_entries=77, max_bytes=10_000)
        seen += [int(entry.fields[b"e"]) for entry in entries]
        offset = entries[-1].id if entries else offset
    writer.join()
    assert seen == list(range(total))
