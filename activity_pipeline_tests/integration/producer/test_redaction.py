"""What a rule names never leaves the process, whichever way the event came in."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from activity_pipeline.errors import EventError, SettingsError
from activity_pipeline.producer import ActivityLogger, bind
from activity_pipeline.producer.redaction import REDACTED

from .conftest import RedisServer
from .test_delivery import MakeLogger, issued


@dataclass
class Login:
    name: str
    password: str


class Card(msgspec.Struct):
    token: str


def metadata(server: RedisServer) -> list[Any]:
    return [json.loads(line).get("metadata") for line in server.lines()]


def test_names_are_blanked_at_any_depth_and_in_any_case(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(redact={"password", "Token"})
    with bind(Password="hunter2", request_id="r1"):
        logger.log("a", metadata={"list": [{"deep": {"TOKEN": {"a": 1}}}, "password"], "ok": 1.5})
    logger.log("b", metadata={"login": Login("ann", "hunter2"), "card": Card("t")}, status="password")
    logger.log("c", user_id="token")
    assert logger.flush()
    assert metadata(server) == [
        {
            "Password": REDACTED,
            "request_id": "r1",
            "list": [{"deep": {"TOKEN": REDACTED}}, "password"],
            "ok": 1.5,
        },
        {"login": {"name": "ann", "password": REDACTED}, "card": {"token": REDACTED}},
        None,
    ]
    assert json.loads(server.lines()[2])["user_id"] == "token"


def test_lines_are_redacted_too(server: RedisServer, make_logger: MakeLogger) -> None:
    logger = make_logger(redact="password")
    secret = b'{"action":"a","password":"hunter2","details":{"password":"hunter2","n":1e3}}'
    logger.log_line(secret)
    logger.log_lines([secret, b'{"password":"hunter2"', b'["password"]'])
    assert logger.flush()
    blank = {"action": "a", "password": REDACTED, "details": {"password": REDACTED, "n": 1000.0}}
    assert [json.loads(line) for line in server.lines()] == [blank, blank]
    assert logger.stats.dropped == {"redaction_failed": 2}
    assert issued(server.frames()) == 4


def test_functions_see_the_event_and_names_have_the_last_word(
    server: RedisServer, make_logger: MakeLogger
) -> None:
    def shorten(event: dict[str, Any]) -> dict[str, Any]:
        return {**event, "user_id": None, "metadata": {"login": Login("a", "b"), "n": len(event["metadata"])}}

    logger = make_logger(redact=["password", shorten])
    logger.log("a", user_id="4636c1f1-2167-5788-a0ab-3267818abb5d", metadata={"x": 1, "y": 2})
    assert logger.flush()
    (line,) = server.lines()
    assert json.loads(line)["user_id"] is None
    assert metadata(server) == [{"login": {"name": "a", "password": REDACTED}, "n": 2}]


@pytest.mark.parametrize("result", [None, [], {"a": object()}, KeyError("hunter2")])
def test_an_event_that_cannot_be_redacted_is_dropped(
    result: object, server: RedisServer, make_logger: MakeLogger
) -> None:
    def broken(_: dict[str, Any]) -> Any:
        if isinstance(result, Exception):
            raise result
        return result

    logger = make_logger(redact=broken)
    logger.log("secret")
    assert logger.flush()
    assert server.lines() == []
    assert logger.stats.dropped == {"redaction_failed": 1}
    assert issued(server.frames()) == 1
    with pytest.raises(EventError) as caught:
        make_logger(redact=broken, strict=True).log("secret")
    assert "hunter2" not in str(caught.value)
    assert caught.value.__suppress_context__


def test_a_rule_is_a_name_or_a_function() -> None:
    with pytest.raises(SettingsError):
        ActivityLogger("redis://localhost", source="test", redact=[5])  # type: ignore[list-item]
