"""What a logger did, in events, and the closed set of reasons why it dropped one."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

import msgspec

from activity_pipeline.errors import EventError


class DropReason(StrEnum):
    """Why an event did not leave the process. Each one is declared to the sink, but for CLOSED."""

    WRONG_TYPE = "wrong_type"
    NOT_ENCODABLE = "not_encodable"
    NOT_ONE_LINE = "not_one_line"
    TOO_LARGE = "too_large"
    REDACTION_FAILED = "redaction_failed"
    BUFFER_FULL = "buffer_full"
    SPOOL_FULL = "spool_full"
    CLOSED = "closed"


def dropped(reason: DropReason) -> EventError:
    """Return the error that says so."""
    return EventError(f"the event was dropped: {reason.value}", reason=reason.value)


class Counts(msgspec.Struct):
    """Counters behind `Stats`; guarded by the buffer's lock."""

    logged: int = 0
    sent: int = 0
    spooled: int = 0
    replayed: int = 0
    torn: int = 0
    dropped: dict[str, int] = {}


class Stats(msgspec.Struct, frozen=True):
    """One logger's counts since it was made, in events unless it says otherwise.

    Attributes:
        logged: Accepted from the application.
        sent: Of `logged`, accepted by Redis, directly or by way of the spool.
        spooled: Of `logged`, written to the spool.
        replayed: Read back from a spool and accepted by Redis, those of earlier processes included.
        dropped: Not accepted from the application, by reason.
        torn: Damaged stretches of spool files that were cut out; a kill in the middle of a write
            leaves one.
        buffered: In memory, not yet accepted by Redis nor on the disk.
        circuit: State of the circuit breaker to Redis: `closed`, `open` or `half-open`.
    """

    logged: int
    sent: int
    spooled: int
    replayed: int
    dropped: Mapping[str, int]
    torn: int
    buffered: int
    circuit: str
