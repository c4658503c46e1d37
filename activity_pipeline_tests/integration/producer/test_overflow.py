"""A full memory: each policy keeps its bound, and what is dropped is counted and declared."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from activity_pipeline.errors import SettingsError
from activity_pipeline.producer import ActivityLogger, Limits

from .conftest import RedisServer, wait_until
from .test_delivery import MakeLogger, actions, issued

SMALL = Limits(frame_events=10, buffer_bytes=10_000, block_s=0.05)


def spooled_bytes(spool_dir: Path) -> int:
    return sum(file.stat().st_size for file in spool_dir.rglob("*.segment"))


def check(server: RedisServer, logger: ActivityLogger, total: int, reason: str) -> None:
    """Check that the events arrived that were not dropped, and that the sink knows of the others."""
    assert logger.flush()
    stats = logger.stats
    assert set(stats.dropped) == {reason}
    assert stats.logged == stats.sent == total - stats.dropped[reason]
    assert len(actions(server)) == stats.logged
    assert issued(server.frames()) == total
    assert sum(frame.drops.get(reason, 0) for frame in server.frames()) == stats.dropped[reason]


@pytest.mark.parametrize("overflow", ["drop", "block"])
def test_without_the_disk_new_events_are_dropped(
    overflow: str, server: RedisServer, make_logger: MakeLogger, spool_dir: Path
) -> None:
    logger = make_logger(limits=SMALL, overflow=overflow)
    server.stop()
    for number in range(120):
        logger.log(str(number))
        assert logger._buffer.size_bytes <= 12_000
    assert not spool_dir.exists()
    server.start()
    check(server, logger, 120, "buffer_full")
    assert actions(server) == [str(number) for number in range(logger.stats.logged)]


def test_blocking_waits_for_room(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(limits=Limits(frame_events=10, buffer_bytes=10_000, block_s=30), overflow="block")
    logger.log("0", wait=True)
    with server.client() as client:
        client.client_pause(60_000, all=False)
        thread = threading.Thread(target=lambda: [logger.log(str(number)) for number in range(1, 300)])
        thread.start()
        wait_until(lambda: logger._buffer.overfull)
        client.client_unpause()
        thread.join()
    assert logger.flush()
    assert logger.stats.dropped == {}
    assert actions(server) == [str(number) for number in range(300)]


@pytest.mark.parametrize("overflow", ["drop", "block"])
def test_what_is_left_at_the_end_goes_to_the_disk_whatever_the_policy(
    overflow: str, server: RedisServer, make_logger: MakeLogger, spool_dir: Path
) -> None:
    server.stop()
    logger = make_logger(overflow=overflow)
    logger.log("a")
    logger.close(0)
    assert spooled_bytes(spool_dir) > 0
    server.start()
    assert make_logger().flush()
    assert actions(server) == ["a"]


def test_a_full_spool_drops_new_events(server: RedisServer, make_logger: MakeLogger, spool_dir: Path) -> None:
    logger = make_logger(limits=SMALL, spool_bytes=20_000)
    server.stop()
    logged = 0
    while not logger.stats.dropped:
        logger.log(str(logged))
        logged += 1
        assert logger._buffer.size_bytes <= 21_000
    assert 10_000 < spooled_bytes(spool_dir) <= 20_000
    server.start()
    check(server, logger, logged, "spool_full")
    assert list(spool_dir.iterdir()) == []
    # The room is there again.
    server.stop()
    logger.log("later")
    wait_until(lambda: logger.stats.buffered == 0)
    server.start()
    assert logger.flush()
    assert actions(server)[-1] == "later"


def test_a_policy_has_a_name() -> None:
    with pytest.raises(SettingsError, match="spool, block, drop"):
        ActivityLogger("redis://localhost", source="test", overflow="wait")
