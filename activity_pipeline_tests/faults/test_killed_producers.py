"""Producers, Redis and the disk fail: what was accepted is stored once, and the ledger knows of the rest."""

from __future__ import annotations

import logging
import os
import random
import signal
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from uuid import UUID

import msgspec
import pytest

from activity_pipeline.hot.connection import connect, connect_bulk
from activity_pipeline.producer import ActivityLogger, Limits
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults import producers
from activity_pipeline_tests.faults.producers import hear, running, tell
from activity_pipeline_tests.integration.producer.conftest import RedisServer, wait_until

logger = logging.getLogger(__name__)
pytestmark = pytest.mark.faults


@pytest.fixture
def server() -> Iterator[RedisServer]:
    """A Redis with an append-only file that is synced every second, as a default one has it."""
    # Not tmp_path: a socket's path may have 107 characters at the most.
    with tempfile.TemporaryDirectory(prefix="apf") as folder:
        server = RedisServer(Path(folder))
        server.start()
        yield server
        if server.process is not None:
            server.process.send_signal(signal.SIGCONT)
        server.stop()


@pytest.fixture
def spool_dir(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def make_logger(server: RedisServer, spool_dir: Path) -> ActivityLogger:
    limits = Limits(frame_events=20)
    return ActivityLogger(server.url, source="test", spool_dir=spool_dir, linger_s=0.005, limits=limits)


def replay(server: RedisServer, spool_dir: Path) -> int:
    """Let another logger send what is left in the spool; return the torn stretches that it found."""
    with make_logger(server, spool_dir) as other:
        assert other.flush(30)
        assert list(spool_dir.glob("*")) == []
        return other.stats.torn


def check(whole: Running, server: RedisServer, expected: Iterable[UUID], *, dropped: int = 0) -> None:
    """Drain, and check that exactly these events are stored, once, and that the ledger balances."""
    settings = msgspec.structs.replace(whole.settings, redis_url=server.url)
    with (
        connect_queue(settings.redis_url) as queue,
        connect(settings.postgres_dsn) as statements,
        connect_bulk(settings.postgres_dsn) as bulk,
    ):
        pipeline = Running(settings, queue, statements, bulk, whole.store)
        pipeline.drain()
        assert pipeline.ids() == dict.fromkeys(expected, 1)
        ledger = pipeline.ledger()
    assert ledger.residual == 0, ledger.differences
    assert (ledger.missing, ledger.dropped) == (0, dropped)


def numbered(numbers: Iterable[int]) -> list[UUID]:
    return [UUID(int=number, version=4) for number in numbers]


@pytest.fixture
def whole(running: Running) -> Running:
    """The pipeline behind the queue."""
    return running


def test_a_kill_takes_only_what_was_in_memory(whole: Running, server: RedisServer, spool_dir: Path) -> None:
    with running(producers.SPOOL_THEN_KEEP_IN_MEMORY, server.url, spool_dir) as process:
        assert hear(process) == "sent"
        server.stop()
        tell(process)
        assert hear(process) == "spooled"
        tell(process)
        assert hear(process) == "in memory"
        process.kill()
    server.start()
    assert replay(server, spool_dir) == 0
    check(whole, server, numbered(range(150)))


@pytest.mark.parametrize("record", [1, 4])
def test_a_kill_in_the_middle_of_a_write_tears_one_record(
    record: int, whole: Running, server: RedisServer, spool_dir: Path
) -> None:
    server.stop()
    with running(producers.DIE_IN_THE_MIDDLE_OF_A_WRITE, server.url, spool_dir, record) as process:
        assert process.wait(30) == -signal.SIGKILL
    server.start()
    assert replay(server, spool_dir) == 1
    # The first frame is sent at once and so may hold fewer than ten.
    events = len(server.lines())
    assert max(10 * (record - 2), -1) < events <= 10 * (record - 1)
    check(whole, server, numbered(range(events)))


def test_kills_at_random_moments(whole: Running, server: RedisServer, spool_dir: Path) -> None:
    seed = random.randrange(10**6)
    logger.warning("seed %d", seed)  # pytest shows it where the test fails
    chance = random.Random(seed)
    accepted: set[int] = set()
    starts = range(0, 10**6, 10**5)[:3]
    for start in starts:
        with running(producers.LOG_FOREVER, server.url, spool_dir, start) as process:
            accepted.add(int(hear(process)))
            timer = threading.Timer(chance.random() * 0.2, process.kill)
            timer.start()
            while heard := hear(process):
                accepted.update(range(start, int(heard) + 1))
            timer.join()
        if chance.random() < 0.5:
            server.kill()
            server.start()
    replay(server, spool_dir)
    sent = {UUID(event["id"]).int for event in map(msgspec.json.decode, server.lines())}
    stored = numbered(number for start in starts for number in range(start, start + 10**5))
    arrived = [uuid for uuid in stored if uuid.int in sent]
    assert set(numbered(accepted)) <= set(arrived)
    check(whole, server, arrived)


def test_redis_is_killed_and_started_from_its_file(
    whole: Running, server: RedisServer, spool_dir: Path
) -> None:
    waited_for: list[str] = []
    logged: list[str] = []
    stop = threading.Event()
    with make_logger(server, spool_dir) as activity:

        def wait_for_each() -> None:
            while not stop.is_set():
                waited_for.append(activity.log("waited for", wait=True, timeout_s=60))

        def log() -> None:
            while not stop.wait(0.0002):
                logged.append(activity.log("logged"))

        threads = [threading.Thread(target=work) for work in (wait_for_each, log)]
        for thread in threads:
            thread.start()
        for _ in range(4):
            before = len(waited_for)
            wait_until(lambda: len(waited_for) > before + 20)  # noqa: B023 called in this iteration
            server.kill()
            wait_until(lambda: activity.stats.circuit == "open")
            server.start()
        stop.set()
        for thread in threads:
            thread.join()
        arrived = {UUID(msgspec.json.decode(line)["id"]) for line in server.lines()}
        assert {UUID(text) for text in waited_for} <= arrived
        assert activity.flush(30)
        assert activity.stats.dropped == {}
    check(whole, server, map(UUID, [*waited_for, *logged]))


@pytest.mark.slow
@pytest.mark.parametrize("freeze_s", [5.5, 10.0])
def test_a_frozen_redis_stops_nobody(
    freeze_s: float, whole: Running, server: RedisServer, spool_dir: Path
) -> None:
    logged: list[str] = []
    longest_s = 0.0
    with make_logger(server, spool_dir) as activity:
        logged.append(activity.log("before", wait=True))
        assert server.process is not None
        os.kill(server.process.pid, signal.SIGSTOP)
        try:
            end = time.monotonic() + freeze_s
            while (now := time.monotonic()) < end:
                logged.append(activity.log("frozen"))
                longest_s = max(longest_s, time.monotonic() - now)
                time.sleep(0.001)
            assert activity.stats.circuit != "closed"
            assert activity.stats.spooled > 0
        finally:
            os.kill(server.process.pid, signal.SIGCONT)
        # Redis is waited for five seconds at a time: no call has waited for it.
        assert longest_s < 2.0
        assert activity.flush(30)
        assert activity.stats.dropped == {}
    check(whole, server, map(UUID, logged))


def test_a_full_disk_under_the_spool(whole: Running, server: RedisServer, spool_dir: Path) -> None:
    server.stop()
    with running(producers.FILL_THE_DISK, server.url, spool_dir) as process:
        assert hear(process) == "full"
        server.start()
        tell(process)
        total, logged = map(int, hear(process).split())
        assert process.wait(30) == 0
    arrived = {UUID(msgspec.json.decode(line)["id"]) for line in server.lines()}
    assert len(arrived) == logged
    check(whole, server, arrived, dropped=total - logged)
