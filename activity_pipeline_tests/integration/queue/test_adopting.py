"""The legacy list moves into a stream: oldest first, each event in one of the two at any time."""

from __future__ import annotations

import json
import threading

import redis

from activity_pipeline.events.frame import decode as decode_frame
from activity_pipeline.queue.adopt import EVENTS_PER_MOVE, adopt_legacy_list
from activity_pipeline.queue.connection import LEGACY_LIST, Shard, stream_key
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.read import START, read_after
from activity_pipeline_tests.conftest import Running

SHARD = Shard(0)


def adopted(queue: redis.Redis) -> list[bytes]:
    entries = read_after(queue, SHARD, START, max_entries=10_000, max_bytes=10**9)
    return [line for entry in entries for line in decode_frame(entry.fields).body.splitlines()]


def test_the_oldest_event_comes_first(running: Running) -> None:
    events = [b'{"n":%d}' % n for n in range(2 * EVENTS_PER_MOVE + 500)]
    for event in events:
        running.queue.lpush(LEGACY_LIST, event)
    assert adopt_legacy_list(running.queue, SHARD) == len(events)
    assert adopted(running.queue) == events
    assert running.queue.exists(LEGACY_LIST) == 0
    assert running.queue.xlen(stream_key(SHARD)) == 3
    assert adopt_legacy_list(running.queue, SHARD) == 0


def test_an_event_of_many_lines_stays_one_event(running: Running) -> None:
    pretty = json.dumps({"source": "s", "action": "a\nb", "metadata": {"a": "%n"}}, indent=2)
    running.queue.lpush(LEGACY_LIST, pretty, pretty.replace("\n", "\r\n"))
    adopt_legacy_list(running.queue, SHARD)
    lines = adopted(running.queue)
    assert [json.loads(line) for line in lines] == [json.loads(pretty)] * 2


def test_many_adopt_and_push_at_once(running: Running) -> None:
    total, pushers = 1200, 3
    done = threading.Event()

    def push(pusher: int) -> None:
        with connect_queue(running.settings.redis_url) as client:
            for n in range(total):
                client.lpush(LEGACY_LIST, b"%d:%d" % (pusher, n))

    def adopt() -> None:
        with connect_queue(running.settings.redis_url) as client:
            while not done.is_set():
                adopt_legacy_list(client, SHARD)

    pushing = [threading.Thread(target=push, args=(n,)) for n in range(pushers)]
    adopting = [threading.Thread(target=adopt) for _ in range(2)]
    for thread in (*pushing, *adopting):
        thread.start()
    for thread in pushing:
        thread.join()
    done.set()
    for thread in adopting:
        thread.join()
    adopt_legacy_list(running.queue, SHARD)
    events = adopted(running.queue)
    assert len(events) == total * pushers
    for pusher in range(pushers):
        own = [int(event.split(b":")[1]) for event in events if event.startswith(b"%d:" % pusher)]
        assert own == list(range(total))
