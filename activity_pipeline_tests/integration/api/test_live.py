"""Events as they are stored, sent to whoever follows."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from activity_pipeline.api.routes import live
from activity_pipeline_tests.lines import line

from .conftest import Api, bearer, now

SOURCE = "followed"
"""The API logs what is read of it under a source of its own."""


@contextlib.contextmanager
def following(api: Api, key: str | None = None, last: str = "", **filters: str) -> Iterator[Iterator[Any]]:
    """Follow; yields pairs of an event's number in the stream and the event."""
    headers = {**bearer(key), **({"last-event-id": last} if last else {})}
    with api.client.stream("GET", "/api/v1/live", params=filters, headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert next(lines).startswith("retry:")

        def events() -> Iterator[Any]:
            number = ""
            for text in lines:
                if text.startswith("id: "):
                    number = text.removeprefix("id: ")
                elif text.startswith("data: "):
                    yield number, json.loads(text.removeprefix("data: "))

        yield events()


def send(api: Api, number: int, **fields: Any) -> None:
    api.running.send(line(number, now(), **{"source": SOURCE, **fields}), sequence=number)
    api.running.drain()


def test_events_are_told_once_and_whoever_comes_back_goes_on(api: Api) -> None:
    api.running.send(line(1, now() - timedelta(minutes=10), action="earlier"))
    api.running.drain()
    with following(api, source=SOURCE) as events:
        for number in (2, 3):
            send(api, number, action=f"step.{number}")
            last, event = next(events)
            assert event["action"] == f"step.{number}"
    send(api, 4, action="missed")
    with following(api, last=last, source=SOURCE) as events:
        assert next(events)[1]["action"] == "missed"


def test_filters_and_the_key_say_what_is_told(closed: Api) -> None:
    key = closed.key("read", sources=["shop"])
    with following(closed, key, action="wanted") as events:
        send(closed, 1, source="shop", action="other")
        send(closed, 2, source="elsewhere", action="wanted")
        send(closed, 3, source="shop", action="wanted")
        _, event = next(events)
        assert (event["source"], event["action"]) == ("shop", "wanted")
    assert closed.client.get("/api/v1/live").status_code == 401


def test_streams_end_by_themselves_and_are_not_too_many(api: Api, monkeypatch: Any) -> None:
    monkeypatch.setattr(live, "LIFE_S", 0.2)
    with following(api) as events:
        assert list(events) == []
    monkeypatch.setattr(live, "MOST_FOLLOWERS", 0)
    assert api.client.get("/api/v1/live").status_code == 503


def test_a_last_id_that_is_none_is_now(api: Api) -> None:
    for number, last in enumerate(("nonsense", "9" * 60, "-1-", "99999999999999999999-x")):
        with following(api, last=last, source=SOURCE) as events:
            send(api, number, action="told")
            assert next(events)[1]["action"] == "told"
