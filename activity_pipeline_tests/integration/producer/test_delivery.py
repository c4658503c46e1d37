"""Events reach the stream: all of them, in order, with an unbroken sequence."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from activity_pipeline.errors import EventError, SettingsError
from activity_pipeline.events.frame import Frame
from activity_pipeline.producer import ActivityLogger, Limits
from activity_pipeline.queue.connection import shard_of

from .conftest import RedisServer, wait_until

MakeLogger = Callable[..., ActivityLogger]


def issued(frames: list[Frame]) -> int:
    """Check that the sequence has no gap but the declared drops; return where it ends."""
    end = 0
    for frame in frames:
        assert frame.sequence == end + sum(frame.drops.values())
        assert frame.body.count(b"\n") == frame.count
        end = frame.sequence + frame.count
    return end


def actions(server: RedisServer) -> list[str]:
    return [json.loads(line)["action"] for line in server.lines()]


def test_an_event_arrives_with_all_its_fields(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger()
    user = UUID("4636c1f1-2167-5788-a0ab-3267818abb5d")
    before = datetime.now(UTC)
    event_id = logger.log(
        "order.paid",
        entity_type="order",
        entity_id=8412,
        user_id=user,
        status="ok",
        metadata={"é": [1, None]},
    )
    assert logger.flush()
    (line,) = server.lines()
    event = json.loads(line)
    timestamp = datetime.fromisoformat(event.pop("timestamp"))
    assert before <= timestamp <= datetime.now(UTC)
    assert event == {
        "id": event_id,
        "source": "test",
        "action": "order.paid",
        "entity_type": "order",
        "entity_id": "8412",
        "user_id": str(user),
        "status": "ok",
        "metadata": {"é": [1, None]},
    }


def test_absent_fields_are_left_out_and_given_ones_are_kept(
    server: RedisServer, make_logger: MakeLogger
) -> None:
    logger = make_logger()
    moment = datetime(2026, 3, 1, 12, tzinfo=UTC) + timedelta(microseconds=7)
    logger.log("a", timestamp=moment, event_id=UUID(int=5))
    logger.log("b", timestamp="2026-03-01T12:00:00+01:00", event_id="00000000-0000-0000-0000-000000000006")
    assert logger.flush()
    first, second = (json.loads(line) for line in server.lines())
    assert first == {
        "id": "00000000-0000-0000-0000-000000000005",
        "timestamp": "2026-03-01T12:00:00.000007Z",
        "source": "test",
        "action": "a",
        "status": "success",
    }
    assert second["timestamp"] == "2026-03-01T12:00:00+01:00"


def test_later_changes_of_the_metadata_do_not_matter(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(linger_s=0.2)
    metadata = {"step": 1}
    logger.log("a", metadata=metadata)
    metadata["step"] = 2
    assert logger.flush()
    assert json.loads(server.lines()[0])["metadata"] == {"step": 1}


def test_frames_are_cut_by_count_and_arrive_in_order(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(limits=Limits(frame_events=7))
    for number in range(100):
        logger.log(str(number))
    assert logger.flush()
    frames = server.frames()
    assert actions(server) == [str(number) for number in range(100)]
    assert issued(frames) == 100
    assert max(frame.count for frame in frames) == 7
    assert {frame.producer for frame in frames} == {logger.producer}
    assert logger.stats.sent == logger.stats.logged == 100


def test_large_events_travel_in_frames_of_their_own(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(limits=Limits(frame_bytes=10_000))
    for size in (10, 1_000_000, 10, 20_000, 20_000, 10):
        logger.log("a", metadata={"blob": "x" * size})
    assert logger.flush()
    frames = server.frames()
    assert issued(frames) == 6
    assert [len(frame.body) > 10_000 for frame in frames if frame.count == 1].count(True) == 3


def test_lines_travel_untouched_even_broken_ones(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger()
    lines = [b'{ "id" :  1}', b'{"broken', b"\xff\xfe", b'{"a":"\\u0000"}']
    for line in lines:
        logger.log_line(line + b"\r\n")
    logger.log_lines(lines)
    assert logger.flush()
    assert server.lines() == lines * 2


def test_eight_threads_share_one_logger(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(limits=Limits(frame_events=50))
    per_thread = 2_000

    def work(name: str) -> None:
        for number in range(per_thread):
            logger.log(name, entity_id=number)

    threads = [threading.Thread(target=work, args=(str(name),)) for name in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert logger.flush()
    assert issued(server.frames()) == 8 * per_thread
    seen: dict[str, list[str]] = {}
    for line in server.lines():
        event = json.loads(line)
        seen.setdefault(event["action"], []).append(event["entity_id"])
    # Each thread's own events stay in its order.
    assert list(seen.values()) == [[str(number) for number in range(per_thread)]] * 8


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"metadata": ["not", "a", "dict"]}, "wrong_type"),
        ({"status": 0}, "wrong_type"),
        ({"metadata": {"a": object()}}, "not_encodable"),
        ({"metadata": {"a": "\ud800"}}, "not_encodable"),
    ],
)
def test_a_malformed_event_is_declared_and_its_neighbours_go_on(
    fields: dict[str, Any], reason: str, server: RedisServer, make_logger: MakeLogger
) -> None:
    logger = make_logger(linger_s=0.2)
    logger.log("before")
    UUID(logger.log("bad", **fields))
    logger.log("after")
    assert logger.flush()
    assert actions(server) == ["before", "after"]
    assert logger.stats.dropped == {reason: 1}
    assert [frame.drops for frame in server.frames() if frame.drops] == [{reason: 1}]
    assert issued(server.frames()) == 3
    with pytest.raises(EventError):
        make_logger(strict=True).log("bad", **fields)


def test_a_drop_with_nothing_after_it_is_declared_too(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger()
    logger.log_line(b"two\nlines")
    logger.log_line(b" \n")
    assert logger.flush()
    assert issued(server.frames()) == 2
    assert logger.stats.dropped == {"not_one_line": 2}
    assert server.lines() == []


def test_a_producer_writes_to_one_shard(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(shards=4)
    logger.log("a")
    assert logger.flush()
    assert len(server.frames(shard_of(logger.producer, 4))) == 1


def test_events_arrive_without_a_flush_and_after_a_pause(
    server: RedisServer, make_logger: MakeLogger
) -> None:
    logger = make_logger()
    logger.log("first")
    wait_until(lambda: len(server.lines()) == 1)
    # Past this the thread sleeps until the next event wakes it.
    wait_until(lambda: logger._buffer.asleep)
    logger.log("second")
    wait_until(lambda: actions(server) == ["first", "second"])


def test_after_close_events_are_counted_as_dropped(make_logger: MakeLogger) -> None:
    logger = make_logger()
    logger.log("a")
    logger.close()
    logger.close()
    logger.log("b")
    logger.log_line(b"{}")
    logger.log_lines([b"{}"])
    assert logger.stats.sent == 1
    assert logger.stats.dropped == {"closed": 3}
    assert logger.flush()


def test_a_logger_needs_a_redis_url_that_makes_sense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ACTIVITY_REDIS_URL", raising=False)
    for url in (None, "http://localhost", "redis://localhost:port"):
        with pytest.raises(SettingsError):
            ActivityLogger(url, source="test")
    monkeypatch.setenv("ACTIVITY_REDIS_URL", "redis://localhost")
    ActivityLogger(source="test").close()


def test_the_end_of_the_process_flushes(server: RedisServer, spool_dir: Path) -> None:
    program = """
import sys, pathlib
from activity_pipeline.producer import ActivityLogger
logger = ActivityLogger(sys.argv[1], source="test", spool_dir=pathlib.Path(sys.argv[2]), linger_s=5)
for number in range(2500):
    logger.log(str(number))
"""
    subprocess.run([sys.executable, "-c", program, server.url, str(spool_dir)], check=True, timeout=20)
    assert actions(server) == [str(number) for number in range(2500)]


@pytest.mark.filterwarnings("ignore:.*multi-threaded:DeprecationWarning")
def test_a_forked_child_goes_on_under_its_own_name(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(linger_s=0.2)
    logger.log("parent")
    child = os.fork()
    if not child:
        logger.log("child")
        os._exit(0 if logger.flush() else 1)
    assert os.waitpid(child, 0)[1] == 0
    logger.log("parent")
    assert logger.flush()
    frames = server.frames()
    assert len({frame.producer for frame in frames}) == 2
    assert sorted(actions(server)) == ["child", "parent", "parent"]
    assert issued([frame for frame in frames if frame.producer == logger.producer]) == 2


def test_a_signal_handler_may_log(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(limits=Limits(frame_events=10))
    previous = signal.signal(signal.SIGALRM, lambda *_: logger.log("signal") and None)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        for _ in range(20_000):
            logger.log("main")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
    assert logger.flush()
    assert issued(server.frames()) == logger.stats.logged
    assert actions(server).count("main") == 20_000
