"""Redis stops, fills up or hangs, and the process may be killed: nothing is lost, order is kept."""

from __future__ import annotations

import json
import logging
import os
import signal
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from activity_pipeline.producer import ActivityLogger, Limits
from activity_pipeline.producer.spool import queue_name
from activity_pipeline.producer.transport import Transport

from .conftest import RedisServer, wait_until
from .test_delivery import MakeLogger, actions, issued

LOG_AND_HANG = """
import pathlib, sys, threading
from activity_pipeline.producer import ActivityLogger
logger = ActivityLogger(sys.argv[1], source="test", spool_dir=pathlib.Path(sys.argv[2]), linger_s=0.005)
for number in range(int(sys.argv[3])):
    logger.log(str(number))
    if number % 100 == 99:
        while logger.stats.spooled <= number:
            threading.Event().wait(0.002)
print("spooled", flush=True)
threading.Event().wait()
"""


def spool_files(spool_dir: Path) -> list[Path]:
    return sorted(spool_dir.glob("*.spool"))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def kill_a_logger_during_an_outage(server: RedisServer, spool_dir: Path, events: int) -> None:
    """Stop Redis, let a process log into its spool, kill it with SIGKILL, start Redis again."""
    server.stop()
    command = [sys.executable, "-c", LOG_AND_HANG, server.url, str(spool_dir), str(events)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"spooled\n"
        process.kill()
    server.start()


@contextmanager
def memory_limit(server: RedisServer, size_bytes: int) -> Iterator[None]:
    with server.client() as client:
        client.config_set("maxmemory", size_bytes)
        try:
            yield
        finally:
            client.config_set("maxmemory", 0)


def test_a_restart_of_redis_loses_nothing_and_keeps_the_order(
    server: RedisServer, make_logger: MakeLogger, spool_dir: Path
) -> None:
    logger = make_logger(limits=Limits(frame_events=20))
    for number in range(50):
        logger.log(str(number))
    assert logger.flush()
    server.stop()
    for number in range(50, 150):
        logger.log(str(number))
    wait_until(lambda: logger.stats.spooled == 100)
    assert not logger.flush(0.05)
    (folder,) = spool_files(spool_dir)
    (file,) = folder.iterdir()
    assert mode(spool_dir) == mode(folder) == 0o700
    assert mode(file) == 0o600
    server.start()
    for number in range(150, 200):
        logger.log(str(number))
    assert logger.flush()
    assert actions(server) == [str(number) for number in range(200)]
    assert issued(server.frames()) == 200
    assert spool_files(spool_dir) == []
    stats = logger.stats
    assert (stats.logged, stats.sent, stats.buffered) == (200, 200, 0)
    assert stats.spooled == stats.replayed


def test_logging_goes_on_from_many_threads_through_an_outage(
    server: RedisServer, make_logger: MakeLogger
) -> None:
    logger = make_logger(limits=Limits(frame_events=100))
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            logger.log("a")
            stop.wait(0.0005)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for _ in range(2):
        sent = logger.stats.sent
        wait_until(lambda: logger.stats.sent > sent)  # noqa: B023 - called in this iteration
        server.stop()
        spooled = logger.stats.spooled
        wait_until(lambda: logger.stats.spooled > spooled + 50)  # noqa: B023
        server.start()
    stop.set()
    for thread in threads:
        thread.join()
    assert logger.flush()
    stats = logger.stats
    ids = [json.loads(line)["id"] for line in server.lines()]
    assert len(set(ids)) == stats.logged == stats.sent
    # What Redis accepted as it was stopped is sent again: twice is right, missing is not.
    ends = [frame.sequence + frame.count for frame in server.frames()]
    assert max(ends) == stats.logged


def test_redis_out_of_memory_is_an_outage(
    server: RedisServer, make_logger: MakeLogger, caplog: pytest.LogCaptureFixture
) -> None:
    logger = make_logger()
    with memory_limit(server, 1):
        for number in range(100):
            logger.log(str(number))
        wait_until(lambda: logger.stats.spooled == 100)
    assert "OutOfMemoryError" in caplog.text
    assert "timestamp" not in caplog.text, "an event was written to the log file"
    assert logger.flush()
    assert actions(server) == [str(number) for number in range(100)]


def test_the_oldest_frames_go_to_the_disk_while_redis_hangs(
    server: RedisServer, make_logger: MakeLogger, spool_dir: Path
) -> None:
    logger = make_logger(limits=Limits(frame_events=10, buffer_bytes=10_000))
    logger.log("0")
    assert logger.flush()
    with server.client() as client:
        client.client_pause(60_000, all=False)
        # The frame in flight hangs; what it leaves in memory is bounded all the same.
        for number in range(1, 2001):
            logger.log(str(number))
        assert logger._buffer.size_bytes <= 11_000
        assert logger.stats.spooled > 1_500
        client.client_unpause()
    assert logger.flush()
    assert actions(server) == [str(number) for number in range(2001)]
    assert issued(server.frames()) == 2001
    assert spool_files(spool_dir) == []


def test_without_a_disk_new_events_are_dropped_and_declared(
    server: RedisServer, make_logger: MakeLogger, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    logger = make_logger(
        limits=Limits(frame_events=10, buffer_bytes=10_000), spool_dir=tmp_path / "file" / "s"
    )
    server.stop()
    for number in range(1000):
        logger.log(str(number))
    wait_until(lambda: logger.stats.dropped)
    server.start()
    assert logger.flush()
    stats = logger.stats
    assert stats.logged + stats.dropped["buffer_full"] == 1000
    assert actions(server) == [str(number) for number in range(stats.logged)]
    assert issued(server.frames()) == 1000
    assert "cannot be written" in caplog.text


def test_the_next_logger_replays_what_a_killed_one_left(
    server: RedisServer, make_logger: MakeLogger, spool_dir: Path
) -> None:
    kill_a_logger_during_an_outage(server, spool_dir, 1000)
    (file,) = spool_files(spool_dir)
    logger = make_logger()
    logger.log("later")
    assert logger.flush()
    assert actions(server) == [*map(str, range(1000)), "later"]
    frames = server.frames()
    assert {frame.producer for frame in frames[:-1]} == {file.name.split(".")[1]}
    assert issued(frames[:-1]) == 1000
    assert spool_files(spool_dir) == []
    assert (logger.stats.replayed, logger.stats.sent, logger.stats.torn) == (1000, 1, 0)


def test_a_torn_tail_is_cut_and_counted(
    server: RedisServer, make_logger: MakeLogger, spool_dir: Path
) -> None:
    kill_a_logger_during_an_outage(server, spool_dir, 300)
    (folder,) = spool_files(spool_dir)
    (file,) = folder.iterdir()
    os.truncate(file, file.stat().st_size - 5)
    logger = make_logger()
    assert logger.flush()
    arrived = actions(server)
    assert arrived == [str(number) for number in range(len(arrived))]
    assert 0 < len(arrived) < 300
    assert logger.stats.torn == 1
    assert spool_files(spool_dir) == []


def test_a_live_logger_adopts_what_a_sibling_left_during_the_outage(
    server: RedisServer, make_logger: MakeLogger, spool_dir: Path
) -> None:
    logger = make_logger()
    logger.log("own")
    assert logger.flush()
    server.stop()
    logger.log("own")
    wait_until(lambda: logger.stats.spooled == 1)
    kill_a_logger_during_an_outage(server, spool_dir, 100)
    assert logger.flush()
    assert sorted(actions(server)) == sorted(["own", "own", *map(str, range(100))])
    assert spool_files(spool_dir) == []


def test_spools_of_another_redis_or_a_living_owner_are_left_alone(
    server: RedisServer, make_logger: MakeLogger, spool_dir: Path
) -> None:
    away = "redis://127.0.0.1:1"
    with ActivityLogger(away, source="other", spool_dir=spool_dir, linger_s=0.005) as other:
        other.log("for another Redis")
        wait_until(lambda: other.stats.spooled == 1)
        other.close(0)
    (foreign,) = spool_files(spool_dir)
    owner = make_logger()
    with memory_limit(server, 1):
        owner.log("mine")
        wait_until(lambda: owner.stats.spooled == 1)
        (held,) = set(spool_files(spool_dir)) - {foreign}
        assert make_logger().flush()
        assert spool_files(spool_dir) == sorted([foreign, held])
    assert owner.flush()
    assert actions(server) == ["mine"]
    assert spool_files(spool_dir) == [foreign]


def test_credentials_do_not_change_whose_spool_it_is() -> None:
    assert queue_name("redis://:old@host/0") == queue_name("redis://me:new@host:6379/0")
    assert len({queue_name(url) for url in ("redis://a/0", "redis://b/0", "redis://a/1", "unix:///a")}) == 4


def test_close_leaves_the_rest_to_the_next_logger(
    server: RedisServer, make_logger: MakeLogger, spool_dir: Path
) -> None:
    server.stop()
    first = make_logger()
    for number in range(100):
        first.log(str(number))
    first.close(0)
    assert len(spool_files(spool_dir)) == 1
    server.start()
    with make_logger() as second:
        assert second.flush()
    assert actions(server) == [str(number) for number in range(100)]


def test_a_terminated_process_leaves_its_events_behind(server: RedisServer, spool_dir: Path) -> None:
    """SIGTERM with Python's default action ends a process at once; a handler that exits flushes."""
    program = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\n" + LOG_AND_HANG
    server.stop()
    command = [sys.executable, "-c", program, server.url, str(spool_dir), "100"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        server.start()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert actions(server) == [str(number) for number in range(100)]
    assert spool_files(spool_dir) == []


def test_an_unexpected_failure_does_not_end_the_delivery(
    server: RedisServer, spool_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    class Unlucky(ActivityLogger):
        tries = 0

        def _connect(self) -> Transport:
            self.tries += 1
            if self.tries == 1:
                raise ArithmeticError("a bug")
            return super()._connect()

    with caplog.at_level(logging.ERROR), Unlucky(server.url, source="test", spool_dir=spool_dir) as logger:
        logger.log("a")
        wait_until(lambda: logger.tries)
        logger.log("b")
        assert logger.flush()
    assert actions(server) == ["a", "b"]
    assert "a bug" in caplog.text
