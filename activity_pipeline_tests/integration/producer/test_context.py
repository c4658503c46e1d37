"""What is bound around a call fills what the call leaves out, in its own thread or task only."""

from __future__ import annotations

import asyncio
import contextvars
import json
import threading
from collections.abc import Callable
from typing import Any

import pytest

from activity_pipeline.producer import ActivityLogger, bind

from .conftest import RedisServer

USER = "4636c1f1-2167-5788-a0ab-3267818abb5d"


@pytest.fixture
def logger(make_logger: Callable[..., ActivityLogger]) -> ActivityLogger:
    return make_logger()


def events(server: RedisServer, logger: ActivityLogger) -> dict[str, dict[str, Any]]:
    """Return what arrived by action, without what every event has."""
    assert logger.flush()
    found = {event.pop("action"): event for event in map(json.loads, server.lines())}
    for event in found.values():
        assert event.keys() >= {"id", "timestamp", "source"}
        for name in ("id", "timestamp", "source"):
            del event[name]
    return found


def test_bound_fields_fill_what_the_call_leaves_out(server: RedisServer, logger: ActivityLogger) -> None:
    with bind(user_id=USER, entity_type="order", entity_id=7, status="seen", request_id="r1", source="x"):
        logger.log("all bound")
        logger.log(
            "all given",
            user_id="u",
            entity_type="",
            entity_id=0,
            status="success",
            metadata={"request_id": None, "more": 1},
        )
        logger.log("none given", user_id=None, metadata={})
    logger.log("outside")
    bound = {
        "user_id": USER,
        "entity_type": "order",
        "entity_id": "7",
        "status": "seen",
        "metadata": {"request_id": "r1", "source": "x"},
    }
    assert events(server, logger) == {
        "all bound": bound,
        "all given": {
            "user_id": "u",
            "entity_type": "",
            "entity_id": "0",
            "status": "success",
            "metadata": {"request_id": None, "more": 1, "source": "x"},
        },
        "none given": bound,
        "outside": {"status": "success"},
    }


def test_nested_blocks_add_up_and_are_restored(server: RedisServer, logger: ActivityLogger) -> None:
    @bind(a=3)
    def decorated() -> None:
        logger.log("decorated")

    with bind(status="outer", a=1):
        with pytest.raises(KeyError), bind(status="inner", b=2):
            logger.log("inner")
            raise KeyError
        logger.log("outer")
        decorated()
    assert events(server, logger) == {
        "inner": {"status": "inner", "metadata": {"a": 1, "b": 2}},
        "outer": {"status": "outer", "metadata": {"a": 1}},
        "decorated": {"status": "outer", "metadata": {"a": 3}},
    }


def test_tasks_and_threads_see_only_their_own(server: RedisServer, logger: ActivityLogger) -> None:
    async def work(name: str) -> None:
        with bind(task=name):
            await asyncio.sleep(0)
            logger.log(name)

    async def main() -> None:
        with bind(status="bound"):
            await asyncio.gather(work("a"), work("b"), asyncio.to_thread(logger.log, "to_thread"))

    asyncio.run(main())
    with bind(status="bound"):
        copied = contextvars.copy_context()
        targets: list[Callable[[], object]] = [
            lambda: logger.log("bare thread"),
            lambda: copied.run(logger.log, "copied"),
        ]
        for target in targets:
            thread = threading.Thread(target=target)
            thread.start()
            thread.join()
    found = events(server, logger)
    assert found["a"] == {"status": "bound", "metadata": {"task": "a"}}
    assert found["b"] == {"status": "bound", "metadata": {"task": "b"}}
    assert found["to_thread"] == found["copied"] == {"status": "bound"}
    assert found["bare thread"] == {"status": "success"}


def test_metadata_of_a_wrong_type_is_refused_inside_a_block_too(
    server: RedisServer, logger: ActivityLogger
) -> None:
    with bind(request_id="r1"):
        logger.log("bad", metadata=[])  # type: ignore[arg-type]
    assert events(server, logger) == {}
    assert logger.stats.dropped == {"wrong_type": 1}
