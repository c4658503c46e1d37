"""How much a logger gathers and keeps, and what it does when that is not enough."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Overflow(StrEnum):
    """What happens to events while Redis is away or does not keep up, and the memory is full.

    Events that a full memory refuses are counted as dropped and declared to the sink.
    """

    SPOOL = "spool"
    """The oldest frames go to the disk. Where the spool is full or fails, new events are dropped."""
    BLOCK = "block"
    """`log` waits for room, for `Limits.block_s` at the most; then the event is dropped. No disk."""
    DROP = "drop"
    """New events are dropped at once. No disk."""


class Limits(msgspec.Struct, frozen=True):
    """When a frame is cut, and how much may wait.

    Attributes:
        frame_events: Most events in a frame.
        frame_bytes: Most bytes in a frame; a larger event travels in a frame of its own.
        buffer_bytes: Most bytes of events in memory, give or take a frame; beyond it `Overflow` decides.
            Up to twice as many while the oldest are being written to the disk.
        block_s: Longest that `Overflow.BLOCK` waits, in seconds.
    """

    frame_events: int = 2_000
    frame_bytes: int = 1024 * 1024
    buffer_bytes: int = 64 * 1024 * 1024
    block_s: float = 1.0
