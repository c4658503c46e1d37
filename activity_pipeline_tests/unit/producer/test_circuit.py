"""The circuit opens on an outage, tries again later and later, and closes when Redis answers."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import pytest

from activity_pipeline.errors import QueueError, QueueTimeoutError
from activity_pipeline.producer.circuit import MAX_BACKOFF_S, Circuit


class Scripted:
    """A transport that fails as it is told to."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.sent = 0

    def send(self, producer: str, entries: Sequence[Mapping[bytes, bytes]]) -> None:
        if self.error is not None:
            raise self.error
        self.sent += len(entries)


@pytest.fixture
def transport() -> Scripted:
    return Scripted()


@pytest.fixture
def circuit(transport: Scripted) -> Circuit:
    return Circuit(transport)


def fail(circuit: Circuit, transport: Scripted, error: Exception) -> float:
    """Send in vain; return the pause until the next try, in seconds."""
    transport.error = error
    before = time.monotonic()
    with pytest.raises(type(error)):
        circuit.send("p", [{}])
    transport.error = None
    return circuit.retry_at - before


def test_one_broken_connection_is_not_an_outage(circuit: Circuit, transport: Scripted) -> None:
    for _ in range(3):
        assert fail(circuit, transport, QueueError()) < 0.2
        assert circuit.closed
        circuit.send("p", [{}])
    assert transport.sent == 3


def test_two_in_a_row_are(circuit: Circuit, transport: Scripted) -> None:
    fail(circuit, transport, QueueError())
    fail(circuit, transport, QueueError())
    assert circuit.state == "open"
    circuit.send("p", [{}])
    assert circuit.closed


def test_a_timeout_opens_it_at_once(circuit: Circuit, transport: Scripted) -> None:
    fail(circuit, transport, QueueTimeoutError())
    assert circuit.state == "open"
    fail(circuit, transport, QueueTimeoutError())
    assert circuit.state == "open"


def test_pauses_grow_to_a_limit_and_start_over(circuit: Circuit, transport: Scripted) -> None:
    pauses = [fail(circuit, transport, QueueError()) for _ in range(12)]
    for shorter, longer in zip(pauses[:4], pauses[2:6], strict=True):
        assert shorter < longer
    assert MAX_BACKOFF_S / 2 <= max(pauses) <= MAX_BACKOFF_S + 0.5
    circuit.send("p", [{}])
    assert fail(circuit, transport, QueueError()) < 0.2
