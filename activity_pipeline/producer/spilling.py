"""Spilling: frames move from the memory to the disk, from the old end only."""

from __future__ import annotations

import errno
import logging
import threading
import time
from contextlib import suppress

from activity_pipeline.producer.batch import Batch
from activity_pipeline.producer.buffer import Buffer
from activity_pipeline.producer.limits import Overflow
from activity_pipeline.producer.spool import Position, ProducerSpool, SpoolFolder
from activity_pipeline.producer.stats import DropReason

_LOG = logging.getLogger("activity_pipeline")

ROUND_TRIP_FRAMES = 16
ROUND_TRIP_BYTES = 8 * 1024 * 1024
"""Most frames and bytes in one round trip, so that one does not outlast the socket's timeout."""

PAUSE_AFTER_A_FAILURE_S = 1.0
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


class Spilling:
    """One producer's way to the disk and what is there. All methods may be called from any thread."""

    def __init__(self, buffer: Buffer, producer: str, folder: SpoolFolder) -> None:
        """Prepare; nothing is made on the disk before it is needed."""
        self._buffer = buffer
        self._producer = producer
        self._folder = folder
        # Guards the spool and what goes into it; taken before the buffer's lock, never after.
        self._lock = threading.Lock()
        self._spool: ProducerSpool | None = None
        self._sent_position = Position(0, 0)
        self._spilled_end = 0
        self._retry_at = 0.0

    def make_room(self) -> None:
        """Write the oldest frames down to the limit of the memory, unless someone else does already."""
        # Does not wait for the disk: whoever holds it makes the room, or is this very thread,
        # interrupted by a signal handler that logs. That one looks again when it has let go.
        while self._can_make_room() and self._lock.acquire(blocking=False):
            try:
                self._spill_down_to(self._buffer.limits.buffer_bytes)
            except Exception:
                _LOG.exception("spilling failed unexpectedly; events stay in memory")
                return
            finally:
                self._lock.release()

    def make_safe(self) -> None:
        """Write everything in memory, because Redis is away."""
        if self._may_write():
            self.spill_all()
            self.make_room()

    def spill_all(self) -> None:
        """Write everything in memory, whatever `Overflow` says: the process is about to end."""
        with self._lock:
            self._spill_down_to(-1)

    def next_to_send(self) -> tuple[ProducerSpool | None, list[Batch]]:
        """Return the spool where there is one, else the oldest frames in memory, marked as being sent."""
        batches: list[Batch] = []
        with self._lock:
            spool = self._spool
            if spool is None:
                batches = self._buffer.start_sending(ROUND_TRIP_FRAMES, ROUND_TRIP_BYTES)
        self.make_room()  # as whoever holds the lock does, and before Redis may hang
        return spool, batches

    def take_back(self) -> None:
        """Note that what was being sent may or may not have arrived."""
        with self._lock:
            self._buffer.stop_sending()

    def settle(self, batches: list[Batch]) -> None:
        """Note that Redis has accepted frames, also where they were written to the disk meanwhile."""
        with self._lock:
            if self._buffer.settle(batches) and self._spool is not None:
                self._spool.advance(self._sent_position)

    def settle_spool(self) -> None:
        """Remove the spool if Redis has all of it."""
        with self._lock:
            if self._spool is not None and not self._spool.pending:
                self._spool.remove()
                self._spool = None
                self._buffer.accept(self._spilled_end)

    def let_go(self) -> None:
        """Leave the spool to the next logger."""
        with self._lock:
            if self._spool is not None:
                if self._spool.pending:
                    self._spool.close()
                else:
                    self._spool.remove()
                self._spool = None

    def abandon(self) -> None:
        """In a forked child: close the parent's files here; the parent still holds them."""
        if self._spool is not None:
            with suppress(OSError):  # the parent may have been about to close them
                self._spool.close()

    def _can_make_room(self) -> bool:
        return self._buffer.overfull and self._buffer.oldest() is not None and self._may_write()

    def _may_write(self) -> bool:
        return self._buffer.overflow is Overflow.SPOOL and time.monotonic() >= self._retry_at

    def _spill_down_to(self, size_bytes: int) -> None:
        """Write the oldest frames until `size_bytes` are left in memory; the caller holds the lock."""
        buffer = self._buffer
        try:
            while buffer.size_bytes > size_bytes and (batch := buffer.oldest()):
                if self._spool is None:
                    self._spool = self._folder.create(self._producer)
                position = self._spool.append(batch.encode(self._producer))
                self._spilled_end = batch.end
                if buffer.spilled():
                    self._sent_position = position
            buffer.spool_trouble = None
        except OSError as error:
            if buffer.spool_trouble is None:
                _LOG.warning(
                    "the spool %s cannot be written, events stay in memory: %s", self._folder.path, error
                )
            no_space = error.errno in _NO_SPACE
            buffer.spool_trouble = DropReason.SPOOL_FULL if no_space else DropReason.BUFFER_FULL
            self._retry_at = time.monotonic() + PAUSE_AFTER_A_FAILURE_S
