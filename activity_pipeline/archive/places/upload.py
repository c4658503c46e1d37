"""A file as it is written to an object store: in one request where it is small, else in parts."""

from __future__ import annotations

import io
import queue
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

PARTS_AT_ONCE = 4
PIECES_AHEAD = 2
"""Memory holds these and PARTS_AT_ONCE more, each of a part's size."""


class Put(Protocol):
    """Stores bytes, or an iterator of them, as an object; raises OSError where that fails."""

    def __call__(self, content: bytes | Iterator[bytes], **options: Any) -> None:
        """Store them."""


class Upload(io.RawIOBase):
    """A writable file that becomes an object by `complete`, and leaves nothing by `abandon`."""

    def __init__(self, put: Put, part_bytes: int) -> None:
        self._put = put
        self._part_bytes = part_bytes
        self._pending = bytearray()
        self._written = 0
        self._parts: _Parts | None = None

    def writable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return how many bytes were written."""
        return self._written

    def write(self, data: Any, /) -> int:
        """Take bytes; raises OSError where the upload has failed meanwhile."""
        count = memoryview(data).nbytes
        self._pending += data
        self._written += count
        if len(self._pending) > self._part_bytes:
            self._parts = self._parts or _Parts(self._put, self._part_bytes)
            self._parts.give(bytes(self._pending))
            self._pending.clear()
        return count

    def complete(self) -> None:
        """Make the object appear; raises OSError where the store does not take it."""
        if self._parts is None:
            self._put(bytes(self._pending), use_multipart=False)
            return
        if self._pending:
            self._parts.give(bytes(self._pending))
        self._parts.give(None)
        self._parts.wait()

    def abandon(self) -> None:
        """End the upload without an object, whatever state it is in."""
        if self._parts:
            self._parts.abandon()


class _Parts:
    """An upload in parts, in a thread of its own that pulls.

    Whoever writes waits on a queue, so that the rest of the process goes on while a store is slow. An
    exception in what the client pulls makes it abort the upload.
    """

    def __init__(self, put: Put, part_bytes: int) -> None:
        self._pieces: queue.Queue[bytes | Exception | None] = queue.Queue(PIECES_AHEAD)
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="upload")
        self._result = self._thread.submit(
            put, self._pull(), use_multipart=True, chunk_size=part_bytes, max_concurrency=PARTS_AT_ONCE
        )

    def give(self, piece: bytes | None) -> None:
        """Give the next piece, None after the last; raises OSError where the upload has failed."""
        if not self._offer(piece):
            self.wait()

    def wait(self) -> None:
        """Wait for the end; raises OSError where the upload has failed."""
        try:
            self._result.result()
        finally:
            self._thread.shutdown()

    def abandon(self) -> None:
        """Let the client abort the upload, and wait for that."""
        self._offer(_AbandonedError())
        self._thread.shutdown()

    def _offer(self, piece: bytes | Exception | None) -> bool:
        """Hand a piece over; False where the upload has ended already."""
        while not self._result.done():
            try:
                self._pieces.put(piece, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def _pull(self) -> Iterator[bytes]:
        while (piece := self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece


class _AbandonedError(Exception):
    """The writer has given up."""
