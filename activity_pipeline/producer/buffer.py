"""The buffer: events in memory, cut into frames that wait for Redis in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Sequence
from itertools import islice

import msgspec

from activity_pipeline.events import frame as wire
from activity_pipeline.events.frame import MAX_FRAME_BYTES, Frame
from activity_pipeline.producer.stats import DropReason

MAX_LINE_BYTES = MAX_FRAME_BYTES - 1
"""Longest event that fits a frame of its own, its newline not counted."""


class Limits(msgspec.Struct, frozen=True):
    """When a frame is cut, and how much may wait in memory.

    Attributes:
        frame_events: Most events in a frame.
        frame_bytes: Most bytes in a frame; a larger event travels in a frame of its own.
        buffer_bytes: Most bytes of events in memory; beyond it the oldest frames go to the spool.
    """

    frame_events: int = 2_000
    frame_bytes: int = 1024 * 1024
    buffer_bytes: int = 64 * 1024 * 1024


class Batch(msgspec.Struct, frozen=True):
    """The events of one frame before they are encoded.

    Attributes:
        sequence: Sequence number of the first event; the drops have used up those before it.
        lines: The events, each one NDJSON line without its newline.
        size_bytes: Bytes of all lines.
        drops: Events dropped since the batch before, by reason.
    """

    sequence: int
    lines: list[bytes]
    size_bytes: int
    drops: dict[str, int]

    @property
    def end(self) -> int:
        """The sequence number after the last event."""
        return self.sequence + len(self.lines)

    def encode(self, producer: str) -> dict[bytes, bytes]:
        """Return the fields of the stream entry."""
        return wire.encode(
            Frame(
                body=b"\n".join((*self.lines, b"")),
                count=len(self.lines),
                producer=producer,
                sequence=self.sequence,
                drops=self.drops,
            )
        )


class Counts(msgspec.Struct):
    """Counters behind `Stats`; guarded by the buffer's lock."""

    logged: int = 0
    sent: int = 0
    spooled: int = 0
    replayed: int = 0
    torn: int = 0
    dropped: dict[str, int] = {}


class Buffer:
    """Events of one producer, oldest first. All methods may be called from any thread.

    Frames stay here while they are being sent: only `settle` or `spilled` removes one, so that
    no failure in between can lose it. A frame's sequence number is given when it is cut.
    """

    def __init__(self, limits: Limits) -> None:
        """Start empty, at sequence number 0."""
        # Reentrant: a signal handler that logs may interrupt this thread while it holds the lock.
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.limits = limits
        self.counts = Counts()
        self.size_bytes = 0
        self.issued = 0
        self.accepted = 0
        self.asleep = True
        self.refusing = False
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._drops: dict[str, int] = {}
        self._batches: deque[Batch] = deque()
        self._sending = 0
        self._cutting = False

    def add(self, line: bytes) -> bool:
        """Accept one event; return whether the delivery needs to be told."""
        size_bytes = len(line)
        limits = self.limits
        with self.lock:
            if self.refusing:
                return self.drop(DropReason.BUFFER_FULL.value)
            if size_bytes > MAX_LINE_BYTES:
                return self.drop(DropReason.TOO_LARGE.value)
            attention = False
            if self._open and self._open_bytes + size_bytes > limits.frame_bytes:
                self.cut()
                attention = True
            self._open.append(line)
            self._open_bytes += size_bytes
            self.size_bytes += size_bytes
            self.counts.logged += 1
            if len(self._open) >= limits.frame_events or self._open_bytes >= limits.frame_bytes:
                self.cut()
                attention = True
            if self.asleep:
                self.asleep = False
                attention = True
            return attention

    def add_many(self, lines: Sequence[bytes]) -> bool:
        """Accept events in order; return whether the delivery needs to be told."""
        attention = False
        with self.lock:
            for line in lines:
                attention |= self.add(line)
        return attention

    def drop(self, reason: str) -> bool:
        """Count an event as dropped; return whether the delivery needs to be told."""
        with self.lock:
            self._drops[reason] = self._drops.get(reason, 0) + 1
            self.counts.dropped[reason] = self.counts.dropped.get(reason, 0) + 1
            was_asleep, self.asleep = self.asleep, False
            return was_asleep

    def cut(self) -> int:
        """Close the open frame; return the sequence number after the last one issued."""
        with self.lock:
            # A signal handler that logs may come in between: it adds to the next frame then.
            if (self._open or self._drops) and not self._cutting:
                self._cutting = True
                try:
                    lines, size_bytes, drops = self._open, self._open_bytes, self._drops
                    self._open, self._open_bytes, self._drops = [], 0, {}
                    # Drops come first: they have used up the numbers before this frame's own.
                    batch = Batch(self.issued + sum(drops.values()), lines, size_bytes, drops)
                    self.issued = batch.end
                    self._batches.append(batch)
                finally:
                    self._cutting = False
            return self.issued

    def sleep_if_empty(self) -> bool:
        """Ask the next event to wake the delivery, if there is nothing left to deliver."""
        with self.lock:
            self.asleep = not (self._open or self._drops or self._batches)
            return self.asleep

    def start_sending(self, max_batches: int, max_bytes: int) -> list[Batch]:
        """Return the oldest frames and mark them as being sent."""
        with self.lock:
            taken: list[Batch] = []
            size_bytes = 0
            for batch in islice(self._batches, max_batches):
                size_bytes += batch.size_bytes
                if taken and size_bytes > max_bytes:
                    break
                taken.append(batch)
            self._sending = len(taken)
            return taken

    def settle(self, batches: Sequence[Batch]) -> bool:
        """Forget what Redis accepted; return whether some of it went to the spool meanwhile."""
        with self.lock:
            remaining = self._sending
            for _ in range(remaining):
                self.size_bytes -= self._batches.popleft().size_bytes
            self._sending = 0
            if batches:
                self.counts.sent += sum(len(batch.lines) for batch in batches)
                self.accept(batches[-1].end)
            return remaining < len(batches)

    def stop_sending(self) -> None:
        """Take back the mark: what was being sent may or may not have arrived."""
        with self.lock:
            self._sending = 0

    def oldest(self) -> Batch | None:
        """Return the oldest frame, whether it is being sent or not."""
        with self.lock:
            return self._batches[0] if self._batches else None

    def spilled(self) -> bool:
        """Forget the oldest frame, which is on the disk now; return whether it was being sent."""
        with self.lock:
            batch = self._batches.popleft()
            self.size_bytes -= batch.size_bytes
            self.counts.spooled += len(batch.lines)
            self._make_room()
            if self._sending:
                self._sending -= 1
                return True
            return False

    def accept(self, end: int) -> None:
        """Note that Redis has accepted all sequence numbers below `end`."""
        with self.lock:
            self.accepted = max(self.accepted, end)
            self._make_room()

    def refuse_when_full(self) -> None:
        """Drop new events from now on if the memory is full: the disk does not take the old ones."""
        with self.lock:
            self.refusing = self.size_bytes > self.limits.buffer_bytes

    @property
    def overfull(self) -> bool:
        """Whether more waits in memory than the limit allows."""
        return self.size_bytes > self.limits.buffer_bytes

    def buffered(self) -> int:
        """Return the number of events in memory."""
        with self.lock:
            return len(self._open) + sum(len(batch.lines) for batch in self._batches)

    def _make_room(self) -> None:
        if self.refusing and not self.overfull:
            self.refusing = False
        self.changed.notify_all()
