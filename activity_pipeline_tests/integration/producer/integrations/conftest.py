"""A logger on a real Redis, and the events that a framework under test left there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from activity_pipeline.producer import ActivityLogger
from activity_pipeline_tests.integration.producer.conftest import RedisServer

USER = "4636c1f1-2167-5788-a0ab-3267818abb5d"


@dataclass(frozen=True)
class Log:
    """A logger and what arrived from it."""

    activity: ActivityLogger
    server: RedisServer

    def events(self) -> list[dict[str, Any]]:
        """Return the events in order, without what each one has."""
        assert self.activity.flush()
        events: list[dict[str, Any]] = [json.loads(line) for line in self.server.lines()]
        for event in events:
            for name in ("id", "timestamp", "source"):
                assert event.pop(name)
        return events

    def requests(self) -> list[dict[str, Any]]:
        """Return the metadata of the events that middlewares logged, with user and status."""
        found = []
        for event in self.events():
            if event["action"] == "http.request":
                metadata = event["metadata"]
                assert metadata.pop("duration_ms") >= 0
                assert metadata["request_id"]
                user = {"user_id": event["user_id"]} if "user_id" in event else {}
                found.append(metadata | user | {"status": event["status"]})
        return found


@pytest.fixture
def log(make_logger: Callable[..., ActivityLogger], server: RedisServer) -> Log:
    return Log(make_logger(strict=True), server)


class Closed:
    """A logger that refuses everything, loudly."""

    def log(self, *_: object, **__: object) -> str:
        raise RuntimeError("the logger is broken")
