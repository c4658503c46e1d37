"""Functions whose calls are events."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from activity_pipeline.producer import bind
from activity_pipeline.producer.integrations.audited import audited

from .conftest import USER, Closed, Log


@dataclass
class Order:
    id: int


def test_a_call_is_an_event(log: Log) -> None:
    @audited(
        log.activity,
        "order.refund",
        entity_type="order",
        entity_id="order.id",
        metadata=lambda call: {"amount": call["amount"], "note": call["note"], "left": call["return"]},
    )
    def refund(order: Order, amount: int, *, note: str = "none") -> int:
        """Give it back."""
        return 10 - amount

    with bind(user_id=USER):
        assert refund(Order(8412), amount=3) == 7
    assert (refund.__name__, refund.__doc__) == ("refund", "Give it back.")
    assert log.events() == [
        {
            "action": "order.refund",
            "entity_type": "order",
            "entity_id": "8412",
            "user_id": USER,
            "status": "success",
            "metadata": {"amount": 3, "note": "none", "left": 7},
        }
    ]


def test_a_failure_goes_on_and_is_noted(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    @audited(log.activity, entity_id="return.id", metadata=lambda call: {"number": call["number"]})
    def create(number: int) -> Order:
        if number < 0:
            raise ValueError("secret")
        return Order(number)

    create(1)
    with pytest.raises(ValueError, match="secret"):
        create(-1)
    with pytest.raises(TypeError, match="missing"):
        create()  # type: ignore[call-arg]
    made, failed, misused = log.events()
    assert made["action"].endswith("test_a_failure_goes_on_and_is_noted.<locals>.create")
    assert made["entity_id"] == "1"
    assert (failed["status"], failed["metadata"]) == ("failure", {"number": -1, "error": "ValueError"})
    assert misused["metadata"] == {"error": "TypeError"}
    assert "KeyError" in caplog.text


def test_asynchronous_functions_and_methods(log: Log) -> None:
    class Shop:
        name = "north"

        @audited(log.activity, "shop.open", entity_type="shop", entity_id="self.name")
        async def open(self, *doors: int) -> int:
            await asyncio.sleep(0)
            if not doors:
                raise LookupError
            return len(doors)

    assert inspect.iscoroutinefunction(Shop.open)
    assert asyncio.run(Shop().open(1, 2)) == 2
    with pytest.raises(LookupError):
        asyncio.run(Shop().open())

    async def cancelled() -> None:
        task = asyncio.ensure_future(Shop().open(1))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    outcomes = [(event["entity_id"], event["status"]) for event in log.events()]
    assert outcomes == [("north", "success"), ("north", "failure"), ("north", "failure")]


def test_what_cannot_be_told_is_left_out(caplog: pytest.LogCaptureFixture, log: Log) -> None:
    def fails(_: Any) -> dict[str, Any]:
        raise LookupError("no description")

    @audited(log.activity, "work", entity_id="order.number", metadata=fails)
    def work(order: Order) -> str:
        return "done"

    assert work(Order(1)) == "done"
    (event,) = log.events()
    assert event == {"action": "work", "status": "success"}
    assert "no description" in caplog.text

    @audited(Closed(), "work")  # type: ignore[arg-type]
    def lonely() -> str:
        return "done"

    assert lonely() == "done"
    assert "a call of work was not logged" in caplog.text


def test_what_makes_no_sense_is_refused_at_once(log: Log) -> None:
    def generate() -> Iterator[int]:
        yield 1

    async def generate_async() -> AsyncIterator[int]:
        yield 1

    for function in (generate, generate_async):
        with pytest.raises(TypeError, match="is a generator function"):
            audited(log.activity)(function)
    with pytest.raises(TypeError, match=r"no argument for entity_id='order\.id'"):
        audited(log.activity, entity_id="order.id")(test_what_makes_no_sense_is_refused_at_once)
