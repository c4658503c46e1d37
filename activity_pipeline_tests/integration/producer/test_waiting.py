"""A call that waits returns when Redis has the event, or says that it has waited in vain."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from activity_pipeline.errors import DeliveryTimeoutError, EventError
from activity_pipeline.producer import ActivityLogger, AsyncActivityLogger, Limits, bind

from .conftest import RedisServer, wait_until
from .test_delivery import MakeLogger, actions


def ids(server: RedisServer) -> list[str]:
    return [json.loads(line)["id"] for line in server.lines()]


@pytest.fixture
def make_async(server: RedisServer, spool_dir: Path) -> Callable[..., AsyncActivityLogger]:
    def make(**options: Any) -> AsyncActivityLogger:
        options = {"source": "test", "spool_dir": spool_dir, "linger_s": 0.005, **options}
        return AsyncActivityLogger(server.url, **options)

    return make


def test_redis_has_the_event_when_the_call_returns(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(linger_s=60)
    logger.log("before")
    event_id = logger.log("waited for", wait=True)
    assert ids(server)[-1] == event_id
    assert actions(server) == ["before", "waited for"]


def test_many_threads_wait_at_once(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger()
    missing: list[str] = []

    def work() -> None:
        for _ in range(20):
            event_id = logger.log("a", wait=True)
            if event_id not in ids(server):
                missing.append(event_id)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert missing == []
    assert len(server.lines()) == 80


def test_a_wait_in_vain_says_so_and_the_event_arrives_later(
    server: RedisServer, make_logger: MakeLogger
) -> None:
    logger = make_logger()
    server.stop()
    with pytest.raises(DeliveryTimeoutError, match="not lost") as caught:
        logger.log("a", wait=True, timeout_s=0.05)
    assert not caught.value.accepted()
    wait_until(lambda: logger.stats.spooled == 1)
    assert logger.stats.circuit == "open"
    server.start()
    assert logger.flush()
    assert caught.value.accepted()
    assert ids(server) == [caught.value.event_id]
    assert logger.stats.circuit == "closed"


def test_who_waits_for_an_event_learns_that_it_was_dropped(
    server: RedisServer, make_logger: MakeLogger
) -> None:
    logger = make_logger()
    with pytest.raises(EventError) as wrong:
        logger.log("a", metadata={"a": object()}, wait=True)
    with pytest.raises(EventError) as large:
        logger.log("a", metadata={"a": "x" * 64 * 1024 * 1024}, wait=True)
    logger.close()
    with pytest.raises(EventError) as closed:
        logger.log("a", wait=True)
    assert [error.value.reason for error in (wrong, large, closed)] == [
        "not_encodable",
        "too_large",
        "closed",
    ]
    assert logger.stats.dropped == {"not_encodable": 1, "too_large": 1}


def test_the_event_loop_runs_on_while_it_is_waited_for(
    server: RedisServer, make_async: Callable[..., AsyncActivityLogger]
) -> None:
    async def main() -> None:
        async with make_async() as logger:
            with bind(task="main"):
                plain = await logger.log("plain")
            assert await logger.flush()
            assert ids(server) == [plain]
            with server.client() as client:
                client.client_pause(60_000, all=False)
            waiting = [asyncio.create_task(logger.log("waited for", wait=True)) for _ in range(50)]
            # Only this task can let Redis go on: it runs although the others wait.
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in waiting)
            with server.client() as client:
                client.client_unpause()
            assert set(await asyncio.gather(*waiting)) == set(ids(server)) - {plain}
            assert logger.stats.sent == 51

    asyncio.run(main())
    assert json.loads(server.lines()[0])["metadata"] == {"task": "main"}


def test_waiting_in_vain_on_the_loop(
    server: RedisServer, make_async: Callable[..., AsyncActivityLogger]
) -> None:
    server.stop()

    async def main() -> str:
        async with make_async() as logger:
            with pytest.raises(DeliveryTimeoutError) as caught:
                await logger.log("a", wait=True, timeout_s=0.05)
            assert not await logger.flush(0.05)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(logger.log("b", wait=True), 0.05)
            server.start()
            assert await logger.flush()
            return caught.value.event_id

    event_id = asyncio.run(main())
    assert ids(server)[0] == event_id
    assert actions(server) == ["a", "b"]


def test_a_full_memory_does_not_block_the_loop(
    server: RedisServer, make_async: Callable[..., AsyncActivityLogger]
) -> None:
    limits = Limits(frame_events=5, buffer_bytes=2_000, block_s=30)

    async def main() -> None:
        async with make_async(overflow="block", limits=limits) as logger:
            assert await logger.log("first", wait=True)
            with server.client() as client:
                client.client_pause(60_000, all=False)
            many = asyncio.gather(*(logger.log("a") for _ in range(100)))
            await asyncio.sleep(0.05)
            assert not many.done()
            with server.client() as client:
                client.client_unpause()
            await many
            assert await logger.flush()
            assert logger.stats.dropped == {}

    asyncio.run(main())
    assert len(set(ids(server))) == 101


def test_the_twin_takes_what_the_logger_takes(make_async: Callable[..., AsyncActivityLogger]) -> None:
    twin = make_async(strict=True)
    assert isinstance(twin.logger, ActivityLogger)
    with pytest.raises(EventError):
        asyncio.run(twin.log("a", metadata=0))  # type: ignore[arg-type]
    asyncio.run(twin.close())
