"""Delivery: the background thread that takes frames to Redis, or to the spool while Redis is away.

Frames form one queue per producer, oldest first: the spool, then the memory. A frame leaves the
memory for the disk only from the old end, and nothing is sent from memory while the spool holds
something, so frames arrive in the order of their sequence. Sending a frame twice is harmless,
losing one is not: each step leaves it in at least one place.
"""

from __future__ import annotations

# redis imports it, and it refuses to be imported once the interpreter is shutting down, which is
# when the thread of a short script first reaches for redis.
import concurrent.futures.thread  # noqa: F401
import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from activity_pipeline.errors import QueueError
from activity_pipeline.operations.recorder import measured
from activity_pipeline.producer.batch import Batch
from activity_pipeline.producer.buffer import Buffer
from activity_pipeline.producer.spilling import ROUND_TRIP_BYTES, Spilling
from activity_pipeline.producer.spool import ProducerSpool, SpoolFolder

if TYPE_CHECKING:
    from activity_pipeline.producer.circuit import Circuit
    from activity_pipeline.producer.transport import Transport

_LOG = logging.getLogger("activity_pipeline")

PAUSE_AFTER_A_BUG_S = 1.0

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
        on_start: Callable[[], None],
    ) -> None:
        """Prepare; the thread starts with the first event.

        Args:
            buffer: Where the events wait.
            producer: Producer id of its frames.
            connect: Makes the way to Redis, in the thread.
            folder: Where frames go while Redis is away.
            linger_s: Longest that an event waits for others to share its frame, in seconds.
            on_start: Called when the thread has been started.
        """
        self.adopting = True
        self._buffer = buffer
        self._producer = producer
        self._connect = connect
        self._folder = folder
        self._linger_s = linger_s
        self._on_start = on_start
        self._circuit: Circuit | None = None
        self._spilling = Spilling(buffer, producer, folder)
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._away = False
        self._retry_at = 0.0
        self._tick = 0.0
        self._idle_at = 0.0

    @property
    def started(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def circuit(self) -> str:
        """State of the circuit breaker to Redis."""
        return self._circuit.state if self._circuit else "closed"

    def attend(self) -> None:
        """Wake the thread, starting it if need be; make room where the memory is full."""
        self._spilling.make_room()
        self._start()
        self._wake.set()

    def retry_now(self) -> None:
        """Try Redis at once, even where the next try is not due yet."""
        self._retry_at = 0.0
        self.attend()

    def spill(self) -> None:
        """Move all frames from memory to the disk."""
        self._spilling.spill_all()

    def stop(self, timeout_s: float) -> None:
        """End the thread and let the spool go, so that the next logger can replay it."""
        self._stopping = True
        self._wake.set()
        if self._thread is None:
            self._spilling.let_go()
        else:
            self._thread.join(timeout_s)
        if lost := self._buffer.buffered():
            _LOG.error("closed with %d events that neither Redis nor the spool took", lost)

    def abandon(self) -> None:
        """In a forked child: leave the spool to the parent."""
        self._spilling.abandon()

    def _start(self) -> None:
        # The second to come need not wait: the first one starts the thread.
        if self.started or self._stopping or not self._starting.acquire(blocking=False):
            return
        try:
            if not self.started:
                thread = threading.Thread(target=self._run, name=THREAD_NAME, daemon=True)
                thread.start()
                self._thread = thread
                self._on_start()
        except RuntimeError as error:  # the interpreter is shutting down, or no thread is to be had
            self._buffer.sleep()
            _LOG.warning("cannot start the delivery thread: %s", error)
        finally:
            self._starting.release()

    def _run(self) -> None:
        self._buffer.delivering_thread = threading.get_ident()
        try:
            while not self._stopping:
                try:
                    self._step()
                except Exception:
                    _LOG.exception("delivery failed unexpectedly; events are kept and it goes on")
                    self._retry_at = time.monotonic() + PAUSE_AFTER_A_BUG_S
        finally:
            # An event that came in while the logger was being closed.
            self._buffer.cut()
            self.spill()
            self._spilling.let_go()

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
            self._note_failure(error)
        if self._away:
            self._spilling.make_safe()
        else:
            self._spilling.make_room()

    def _pause_s(self) -> float | None:
        now = time.monotonic()
        if self._retry_at > now:
            return max(min(self._tick, self._retry_at) - now, 0)
        if now >= self._idle_at and self._buffer.sleep_if_empty():
            return None
        return max(self._tick - now, 0)

    def _deliver(self) -> None:
        circuit = self._circuit
        if circuit is None:
            # Here because redis and the breaker take longer to import than all the rest.
            from activity_pipeline.producer.circuit import Circuit  # noqa: PLC0415

            circuit = self._circuit = Circuit(self._connect())
        if self.adopting:
            self._replay_orphans(circuit)
        while not self._stopping:
            spool, batches = self._spilling.next_to_send()
            if spool is not None:
                self._replay_own(circuit, spool)
            elif batches:
                self._send(circuit, batches)
            else:
                break
        if self._away:
            self._away = False
            _LOG.info("Redis is back and has accepted the spool")

    def _send(self, circuit: Circuit, batches: list[Batch]) -> None:
        try:
            with measured("log_flush") as call:
                call.items = sum(len(batch.lines) for batch in batches)
                circuit.send(self._producer, [batch.encode(self._producer) for batch in batches])
        except BaseException:
            self._spilling.take_back()
            raise
        self._spilling.settle(batches)
        self._idle_at = time.monotonic() + _IDLE_S

    def _replay_own(self, circuit: Circuit, spool: ProducerSpool) -> None:
        if spool.pending:
            events = self._replay_page(circuit, spool)
            with self._buffer.lock:
                self._buffer.counts.sent += events
        self._spilling.settle_spool()

    def _replay_orphans(self, circuit: Circuit) -> None:
        for spool in self._folder.orphans():
            try:
                while spool.pending and not self._stopping:
                    self._replay_page(circuit, spool)
            except BaseException:
                spool.close()
                raise
            if spool.pending:
                spool.close()
                return
            spool.remove()
        with self._buffer.lock:
            self.adopting = False
            self._buffer.notify()

    def _replay_page(self, circuit: Circuit, spool: ProducerSpool) -> int:
        """Send the oldest records of a spool; return the number of their events."""
        page = spool.read(ROUND_TRIP_BYTES)
        if page.entries:
            circuit.send(page.entries[0].get(b"p", b"").decode(), page.entries)
        spool.advance(page.end)
        if page.torn:
            _LOG.warning("%s: %d damaged stretches were cut out", spool.path, page.torn)
        events = sum(int(entry.get(b"n", b"0")) for entry in page.entries)
        with self._buffer.lock:
            self._buffer.counts.replayed += events
            self._buffer.counts.torn += page.torn
        return events

    def _note_failure(self, error: QueueError) -> None:
        if self._circuit is not None:
            self._retry_at = self._circuit.retry_at
            if self._circuit.closed:
                return
        if not self._away:
            self._away = True
            _LOG.warning("Redis is away, events wait for it (%s): %s", self._buffer.overflow.value, error)
        self.adopting = True  # other producers of this host may not outlive the outage
