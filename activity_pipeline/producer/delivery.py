"""Delivery: the background thread that takes frames to Redis, or to the spool while Redis is away.

Frames form one queue per producer, oldest first: the spool file, then the memory. A frame leaves
the memory for the disk only from the old end, and nothing is sent from memory while the file
holds something, so frames arrive in the order of their sequence. Sending a frame twice is
harmless, losing one is not: each step leaves it in at least one place.
"""

from __future__ import annotations

# redis imports it, and it refuses to be imported once the interpreter is shutting down, which is
# when the thread of a short script first reaches for redis.
import concurrent.futures.thread  # noqa: F401
import logging
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from activity_pipeline.errors import QueueError
from activity_pipeline.producer.buffer import Batch, Buffer
from activity_pipeline.producer.spool import SpoolFile, SpoolFolder

if TYPE_CHECKING:
    from activity_pipeline.producer.transport import Transport

_LOG = logging.getLogger("activity_pipeline")

ROUND_TRIP_FRAMES = 16
ROUND_TRIP_BYTES = 8 * 1024 * 1024
"""Most frames and bytes in one round trip, so that one does not outlast the socket's timeout."""

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0

THREAD_NAME = "activity-delivery"
_IDLE_S = 1.0
"""The thread ticks this long after the last event, so that a steady application need not wake it."""


class Delivery:
    """Empties one buffer into the queue. `attend`, `retry_now`, `spill` and `stop` are for any thread."""

    def __init__(
        self,
        buffer: Buffer,
        producer: str,
        *,
        connect: Callable[[], Transport],
        folder: SpoolFolder,
        linger_s: float,
    ) -> None:
        """Prepare; the thread starts with the first event.

        Args:
            buffer: Where the events wait.
            producer: Producer id of its frames.
            connect: Makes the way to Redis, in the thread.
            folder: Where frames go while Redis is away.
            linger_s: Longest that an event waits for others to share its frame, in seconds.
        """
        self.adopting = True
        self._buffer = buffer
        self._producer = producer
        self._connect = connect
        self._folder = folder
        self._linger_s = linger_s
        self._transport: Transport | None = None
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        # Guards the file and what goes into it; taken before the buffer's lock, never after.
        self._disk = threading.Lock()
        self._file: SpoolFile | None = None
        self._sent_offset = 0
        self._spilled_end = 0
        self._disk_failed = False
        self._away = False
        self._failures = 0
        self._retry_at = 0.0
        self._tick = 0.0
        self._idle_at = 0.0

    @property
    def started(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def attend(self) -> None:
        """Wake the thread, starting it if need be; make room where the memory is full."""
        # Does not wait for the disk: whoever holds it makes the room, or is this very thread,
        # interrupted by a signal handler that logs.
        if self._buffer.overfull and self._disk.acquire(blocking=False):
            try:
                self._spill_down_to(self._buffer.limits.buffer_bytes)
            except Exception:
                _LOG.exception("spilling failed unexpectedly; events stay in memory")
            finally:
                self._disk.release()
        self._start()
        self._wake.set()

    def retry_now(self) -> None:
        """Try Redis at once, even where the next try is not due yet."""
        self._retry_at = 0.0
        self._start()
        self._wake.set()

    def spill(self) -> None:
        """Move all frames from memory to the disk."""
        with self._disk:
            self._spill_down_to(-1)

    def stop(self, timeout_s: float) -> None:
        """End the thread and let the spool file go, so that the next logger can replay it."""
        self._stopping = True
        self._wake.set()
        if self._thread is None:
            self._let_go()
        else:
            self._thread.join(timeout_s)

    def abandon(self) -> None:
        """In a forked child: close the parent's file here; the parent still holds it."""
        if self._file is not None:
            with suppress(OSError):  # the parent may have been about to close it
                self._file.close()

    def _start(self) -> None:
        # The second to come need not wait: the first one starts the thread.
        if self.started or self._stopping or not self._starting.acquire(blocking=False):
            return
        try:
            if not self.started:
                thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
                thread.start()
                self._thread = thread
        except RuntimeError as error:  # the interpreter is shutting down, or no thread is to be had
            self._buffer.asleep = True
            _LOG.warning("cannot start the delivery thread: %s", error)
        finally:
            self._starting.release()

    def _run(self) -> None:
        try:
            while not self._stopping:
                try:
                    self._step()
                except Exception:
                    _LOG.exception("delivery failed unexpectedly; events are kept and it goes on")
                    self._back_off()
        finally:
            # An event that came in while the logger was being closed.
            self._buffer.cut()
            self.spill()
            self._let_go()

    def _step(self) -> None:
        self._wake.wait(self._pause_s())
        self._wake.clear()
        now = time.monotonic()
        if now >= self._tick:
            self._buffer.cut()
            self._tick = now + self._linger_s
        try:
            if now >= self._retry_at:
                self._deliver()
        except QueueError as error:
            self._went_away(error)
        if self._away:
            self.spill()

    def _pause_s(self) -> float | None:
        now = time.monotonic()
        if self._retry_at > now:
            return max(min(self._tick, self._retry_at) - now, 0)
        if now >= self._idle_at and self._buffer.sleep_if_empty():
            return None
        return max(self._tick - now, 0)

    def _deliver(self) -> None:
        if self._transport is None:
            self._transport = self._connect()
        if self.adopting:
            self._replay_orphans(self._transport)
        while not self._stopping:
            with self._disk:
                file = self._file
                batches = [] if file else self._buffer.start_sending(ROUND_TRIP_FRAMES, ROUND_TRIP_BYTES)
            if file is not None:
                self._replay_own(self._transport, file)
            elif batches:
                self._send(self._transport, batches)
            else:
                break
        self._failures = 0
        if self._away:
            self._away = False
            _LOG.info("Redis is back and has accepted the spool")

    def _send(self, transport: Transport, batches: list[Batch]) -> None:
        try:
            transport.send(self._producer, [batch.encode(self._producer) for batch in batches])
        except BaseException:
            with self._disk:
                self._buffer.stop_sending()
            raise
        with self._disk:
            if self._buffer.settle(batches) and self._file is not None:
                self._file.advance(self._sent_offset)
        self._idle_at = time.monotonic() + _IDLE_S

    def _replay_own(self, transport: Transport, file: SpoolFile) -> None:
        if file.pending:
            events = self._replay_page(transport, file)
            with self._buffer.lock:
                self._buffer.counts.sent += events
        with self._disk:
            if not file.pending:
                file.remove()
                self._file = None
                self._buffer.accept(self._spilled_end)

    def _replay_orphans(self, transport: Transport) -> None:
        for file in self._folder.orphans():
            try:
                while file.pending and not self._stopping:
                    self._replay_page(transport, file)
            except BaseException:
                file.close()
                raise
            if file.pending:
                file.close()
                return
            file.remove()
        with self._buffer.lock:
            self.adopting = False
            self._buffer.changed.notify_all()

    def _replay_page(self, transport: Transport, file: SpoolFile) -> int:
        """Send the oldest records of a file; return the number of their events."""
        page = file.read(ROUND_TRIP_BYTES)
        if page.entries:
            transport.send(page.entries[0].get(b"p", b"").decode(), page.entries)
        file.advance(page.end)
        if page.torn:
            _LOG.warning("%s: %d damaged stretches were cut out", file.path, page.torn)
        events = sum(int(entry.get(b"n", b"0")) for entry in page.entries)
        with self._buffer.lock:
            self._buffer.counts.replayed += events
            self._buffer.counts.torn += page.torn
        return events

    def _spill_down_to(self, size_bytes: int) -> None:
        """Move the oldest frames to the disk until `size_bytes` are left; the caller holds `_disk`."""
        buffer = self._buffer
        try:
            while buffer.size_bytes > size_bytes and (batch := buffer.oldest()):
                if self._file is None:
                    self._file = self._folder.create(self._producer)
                offset = self._file.append(batch.encode(self._producer))
                self._spilled_end = batch.end
                if buffer.spilled():
                    self._sent_offset = offset
            self._disk_failed = False
        except OSError as error:
            buffer.refuse_when_full()
            if not self._disk_failed:
                self._disk_failed = True
                _LOG.warning(
                    "the spool %s cannot be written, events stay in memory: %s", self._folder.path, error
                )

    def _went_away(self, error: QueueError) -> None:
        if not self._away:
            self._away = True
            _LOG.warning("Redis is away, events go to the spool %s: %s", self._folder.path, error)
        self.adopting = True  # other producers of this host may not outlive the outage
        self._back_off()

    def _back_off(self) -> None:
        delay_s = min(FIRST_BACKOFF_S * 2 ** min(self._failures, 10), MAX_BACKOFF_S)
        self._failures += 1
        # Jitter, so that a fleet of producers does not return in step.
        self._retry_at = time.monotonic() + delay_s * random.uniform(0.5, 1.0)  # noqa: S311

    def _let_go(self) -> None:
        with self._disk:
            if self._file is None:
                return
            if self._file.pending:
                self._file.close()
            else:
                self._file.remove()
            self._file = None
