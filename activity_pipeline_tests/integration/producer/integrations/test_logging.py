"""Log records as events."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest

from activity_pipeline.producer import bind
from activity_pipeline.producer.integrations.logging import ActivityHandler

from .conftest import USER, Closed, Log


@pytest.fixture
def shop() -> Iterator[logging.Logger]:
    logger = logging.getLogger("shop.audit")
    logger.setLevel(logging.DEBUG)
    yield logger
    logger.handlers.clear()


def test_a_record_becomes_an_event(log: Log, shop: logging.Logger) -> None:
    shop.addHandler(ActivityHandler(log.activity))
    with bind(request_id="r1"):
        order = {"entity_type": "order", "entity_id": 8412, "user_id": USER}
        shop.info("refunded %d", 7, extra={**order, "n": 1})
    (event,) = log.events()
    assert event == {
        "action": "shop.audit",
        "entity_type": "order",
        "entity_id": "8412",
        "user_id": USER,
        "status": "success",
        "metadata": {
            "request_id": "r1",
            "n": 1,
            "level": "INFO",
            "logger": "shop.audit",
            "message": "refunded 7",
        },
    }


def test_errors_are_failures_with_their_traceback(log: Log, shop: logging.Logger) -> None:
    shop.addHandler(ActivityHandler(log.activity, action="shop.log", level=logging.WARNING))
    shop.info("below the level")
    try:
        raise ValueError("bad")
    except ValueError:
        shop.exception("failed", exc_info=True)
    shop.error("denied", extra={"status": "denied"}, exc_info=False)
    shop.warning("nothing raised", exc_info=True)
    failed, denied, warned = log.events()
    assert (failed["action"], failed["status"]) == ("shop.log", "failure")
    assert failed["metadata"]["exception"].endswith("ValueError: bad")
    assert (denied["status"], "exception" in denied["metadata"]) == ("denied", False)
    assert (warned["status"], "exception" in warned["metadata"]) == ("success", False)


def test_whatever_is_extra_is_kept_in_some_form(log: Log, shop: logging.Logger) -> None:
    shop.addHandler(ActivityHandler(log.activity))
    thing = object()
    shop.info("x\0y" + "z" * 9000, extra={"user_id": 7, "thing": thing, "nested": {1: {thing}}, "status": 3})
    (event,) = log.events()
    assert (event["status"], event["metadata"]["user"]) == ("3", "7")
    assert event["metadata"]["thing"] == str(thing)
    assert event["metadata"]["nested"] == {"1": [str(thing)]}
    assert event["metadata"]["message"].startswith("x\\x00yzz")
    assert len(event["metadata"]["message"]) < 9000


def test_the_producers_own_records_cause_no_events(log: Log) -> None:
    root = logging.getLogger()
    handler = ActivityHandler(log.activity)
    root.addHandler(handler)
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        logging.getLogger("activity_pipeline").error("spooling")
        logging.getLogger("activity_pipeline.ingest").error("draining")
        logging.getLogger("activity_pipelines").warning("another's")
        assert [event["action"] for event in log.events()] == ["activity_pipelines"]
    finally:
        root.setLevel(level)
        root.removeHandler(handler)


def test_a_record_that_cannot_be_logged_is_handled_as_logging_does(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    handler = ActivityHandler(Closed())  # type: ignore[arg-type]
    fine = logging.LogRecord("shop", logging.INFO, __file__, 1, "fine", (), None)
    odd = logging.LogRecord("shop", logging.INFO, __file__, 1, "%d", ("not a number",), None)
    # Past the loggers, where pytest's own handler would raise what it cannot format.
    handler.handle(odd)
    handler.handle(fine)
    said = capsys.readouterr().err
    assert said.count("--- Logging error ---") == 2
    assert "the logger is broken" in said
    monkeypatch.setattr(logging, "raiseExceptions", False)
    handler.handle(fine)
    assert capsys.readouterr().err == ""


def test_what_the_delivery_thread_logs_feeds_nothing(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    # A Redis client that logs each command would otherwise keep the producer busy forever.
    from activity_pipeline.producer.transport import RedisTransport

    chatty = logging.getLogger("redis")
    handler = ActivityHandler(log.activity)
    chatty.addHandler(handler)
    said: list[str] = []
    send = RedisTransport.send

    def chatty_send(transport: RedisTransport, *arguments: Any) -> Any:
        chatty.warning("sending")
        said.append("sending")
        return send(transport, *arguments)

    monkeypatch.setattr(RedisTransport, "send", chatty_send)
    try:
        log.activity.log("one")
        assert [event["action"] for event in log.events()] == ["one"]
        assert said
    finally:
        chatty.removeHandler(handler)
