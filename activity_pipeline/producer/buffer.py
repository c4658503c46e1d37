"""The buffer: events in memory, cut into frames that wait for Redis in order."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from itertools import islice
from types import MappingProxyType

from activity_pipeline.events.model import MAX_FRAME_BYTES
from activity_pipeline.producer.batch import Batch
from activity_pipeline.producer.limits import Limits, Overflow
from activity_pipeline.producer.stats import Counts, DropReason, Stats

MAX_LINE_BYTES = MAX_FRAME_BYTES - 1
"""Longest event that fits a frame of its own, its newline not counted."""

DISK_PATIENCE_S = 0.1
"""How long an event waits, once, for a disk that does not keep up, before such events are dropped."""


class Buffer:
    """Events of one producer, oldest first. All methods may be called from any thread.

    Frames stay here while they are being sent: only `settle` or `spilled` removes one, so that
    no failure in between can lose it. A frame's sequence number is given when it is cut.

    Attributes:
        issued: Sequence number after the last one given.
        accepted: Sequence number below which Redis has all.
        spool_trouble: Why new events are dropped when the memory is full, while the disk does not take
            the old ones.
        delivering_thread: Who empties the buffer, and so never waits for room in it.
    """

    def __init__(self, limits: Limits, overflow: Overflow = Overflow.SPOOL) -> None:
        """Start empty, at sequence number 0."""
        # Reentrant: a signal handler that logs may interrupt this thread while it holds the lock.
        self.lock = threading.RLock()
        self.changed = threading.Condition(self.lock)
        self.limits = limits
        self.overflow = overflow
        self.counts = Counts()
        self.issued = 0
        self.accepted = 0
        self.delivering_thread = 0
        self.spool_trouble: DropReason | None = None
        self._asleep = True
        self._stalled = False
        # Whether the next event needs more than to be appended: looked at once for each event.
        self._watchful = True
        self._frame_bytes = min(limits.frame_bytes, MAX_LINE_BYTES)
        self._open: list[bytes] = []
        self._open_bytes = 0
        self._cut_bytes = 0
        self._drops: dict[str, int] = {}
        self._batches: deque[Batch] = deque()
        self._sending = 0
        self._cutting = False
        self._waiting: list[tuple[Callable[[], bool], Callable[[], None]]] = []

    def add(self, line: bytes) -> bool:
        """Accept one event; return whether the delivery needs to be told."""
        size_bytes = len(line)
        with self.lock:
            if (
                self._watchful
                or self._open_bytes + size_bytes >= self._frame_bytes
                or len(self._open) + 1 >= self.limits.frame_events
            ):
                return self._add_watchfully(line)
            self._open.append(line)
            self._open_bytes += size_bytes
        return False

    def _add_watchfully(self, line: bytes) -> bool:
        """Accept the event where it completes a frame, wakes the delivery or may have to be dropped."""
        if (reason := self._reason_to_drop(line)) is not None:
            return self.drop(reason) or (self.overfull and self.overflow is Overflow.SPOOL)
        return self._take(line)

    def _take(self, line: bytes) -> bool:
        size_bytes = len(line)
        attention = self.overfull
        if self._open and self._open_bytes + size_bytes > self._frame_bytes:
            self.cut()
            attention = True
        self._open.append(line)
        self._open_bytes += size_bytes
        if len(self._open) >= self.limits.frame_events or self._open_bytes >= self._frame_bytes:
            self.cut()
            attention = True
        return self._awaken() or attention

    def _reason_to_drop(self, line: bytes) -> DropReason | None:
        if len(line) > MAX_LINE_BYTES:
            return DropReason.TOO_LARGE
        if not self.overfull:
            return None
        bound_bytes, patience_s = self.limits.buffer_bytes, 0.0
        if self.overflow is Overflow.BLOCK:
            patience_s = self.limits.block_s
        elif self.overflow is Overflow.SPOOL:
            if self.spool_trouble is not None:
                return self.spool_trouble
            # Someone is writing the oldest frames to the disk; a busy loop could leave it no time to.
            bound_bytes *= 2
            patience_s = 0.0 if self._stalled else DISK_PATIENCE_S
        # The delivery itself must not wait for the room that it makes.
        if threading.get_ident() == self.delivering_thread:
            patience_s = 0.0
        if self.changed.wait_for(lambda: self.size_bytes <= bound_bytes, patience_s):
            return None
        self._stalled = True
        return self.spool_trouble or DropReason.BUFFER_FULL

    def _awaken(self) -> bool:
        was_asleep, self._asleep = self._asleep, False
        self._watchful = self.overfull
        return was_asleep

    def add_many(self, lines: Sequence[bytes]) -> bool:
        """Accept events in order; return whether the delivery needs to be told."""
        attention = False
        with self.lock:
            for line in lines:
                attention |= self.add(line)
        return attention

    def add_and_cut(self, lines: Sequence[bytes]) -> int | DropReason:
        """Accept all events or none and close their frame; return where it ends, or why they were dropped."""
        with self.lock:
            if (reason := self._reason_to_drop(max(lines, key=len))) is not None:
                for _ in lines:
                    self.drop(reason)
                return reason
            for line in lines:
                self._take(line)
            return self.cut()

    def drop(self, reason: DropReason) -> bool:
        """Count an event as dropped; return whether the delivery needs to be told."""
        with self.lock:
            self._drops[reason.value] = self._drops.get(reason.value, 0) + 1
            self.counts.dropped[reason.value] = self.counts.dropped.get(reason.value, 0) + 1
            return self._awaken()

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
                    self._cut_bytes += size_bytes
                    self.counts.logged += len(lines)
                    self._watchful = self._watchful or self.overfull
                finally:
                    self._cutting = False
            return self.issued

    def sleep(self) -> None:
        """Ask the next event to wake the delivery."""
        with self.lock:
            self._asleep = self._watchful = True

    def sleep_if_empty(self) -> bool:
        """Ask the next event to wake the delivery, if there is nothing left to deliver."""
        with self.lock:
            if not (self._open or self._drops or self._batches):
                self.sleep()
            return self._asleep

    @property
    def asleep(self) -> bool:
        """Whether the next event will wake the delivery."""
        return self._asleep

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
                self._cut_bytes -= self._batches.popleft().size_bytes
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
            self._cut_bytes -= batch.size_bytes
            self.counts.spooled += len(batch.lines)
            self.notify()
            if self._sending:
                self._sending -= 1
                return True
            return False

    def accept(self, end: int) -> None:
        """Note that Redis has accepted all sequence numbers below `end`."""
        with self.lock:
            self.accepted = max(self.accepted, end)
            self.notify()

    @property
    def kept(self) -> int:
        """Sequence number below which nothing is in the memory alone: Redis has it, or the disk."""
        with self.lock:
            return self._batches[0].sequence if self._batches else self.issued

    @property
    def size_bytes(self) -> int:
        """Bytes of all events in memory."""
        return self._cut_bytes + self._open_bytes

    @property
    def overfull(self) -> bool:
        """Whether more waits in memory than the limit allows."""
        return self.size_bytes > self.limits.buffer_bytes

    def buffered(self) -> int:
        """Return the number of events in memory."""
        with self.lock:
            return len(self._open) + sum(len(batch.lines) for batch in self._batches)

    def stats(self, circuit: str) -> Stats:
        """Return the counts of one instant; `circuit` is the state of the circuit breaker."""
        with self.lock:
            return Stats(
                logged=self.counts.logged + len(self._open),
                sent=self.counts.sent,
                spooled=self.counts.spooled,
                replayed=self.counts.replayed,
                dropped=MappingProxyType(dict(self.counts.dropped)),
                torn=self.counts.torn,
                buffered=self.buffered(),
                circuit=circuit,
            )

    def call_once(self, condition: Callable[[], bool], action: Callable[[], None]) -> Callable[[], None]:
        """Call `action` when `condition` holds, in the thread that made it so; return how to call it off."""
        waiting = (condition, action)
        with self.lock:
            self._waiting.append(waiting)
            self.notify()

        def call_off() -> None:
            with self.lock:
                if waiting in self._waiting:
                    self._waiting.remove(waiting)

        return call_off

    def notify(self) -> None:
        """Tell those who wait that frames have left the memory, or the like."""
        with self.lock:
            self._stalled = False
            self.changed.notify_all()
            due = [waiting for waiting in self._waiting if waiting[0]()]
            for waiting in due:
                self._waiting.remove(waiting)
                waiting[1]()
