"""The spool: frames on the local disk while Redis is away.

One append-only file for each producer, `<queue>.<producer>.spool`, made when it is first needed
and removed when Redis has all of it. `<queue>` names the Redis that the frames are meant for, so
that loggers of several queues can share a folder. The owner holds the file with flock; a file
that nobody holds has lost its owner, and the next logger on the host replays it.

A record is: 4 bytes of mark, the payload's length and its CRC-32 (both 32 bits, little endian),
the payload (MessagePack of the stream entry's fields). Records survive a kill -9 of the process
because write() has handed them to the kernel; they are not fsynced, so a power cut may take the
last ones.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import msgspec

from activity_pipeline.errors import SettingsError

SUFFIX = ".spool"

# 0xff never occurs in UTF-8, so no plain frame can hold a mark by accident.
_MARK = b"\xffAPS"
_HEADER = struct.Struct("<4sII")
_SEARCH_BYTES = 1024 * 1024
_decoder = msgspec.msgpack.Decoder(dict[bytes, bytes])


class Page(msgspec.Struct, frozen=True):
    """Records read in one go.

    Attributes:
        entries: Stream entries in the order in which they were written.
        end: Offset in the file after the last of them, in bytes.
        torn: Damaged stretches that were skipped.
    """

    entries: list[dict[bytes, bytes]]
    end: int
    torn: int


class SpoolFile:
    """One open spool file, held with flock until it is removed or closed."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Take an open and locked file; its records are still to be replayed."""
        self.path = path
        self._descriptor = descriptor
        self._head = 0
        self._end = os.fstat(descriptor).st_size

    @property
    def pending(self) -> bool:
        """Whether records are left to be replayed."""
        return self._head < self._end

    def append(self, entry: Mapping[bytes, bytes]) -> int:
        """Write one record; return the offset after it, in bytes.

        Raises:
            OSError: The disk did not take it. The file is as it was before.
        """
        payload = msgspec.msgpack.encode(entry)
        record = memoryview(_HEADER.pack(_MARK, len(payload), zlib.crc32(payload)) + payload)
        try:
            while record:
                record = record[os.write(self._descriptor, record) :]
        except OSError:
            os.ftruncate(self._descriptor, self._end)
            raise
        self._end += _HEADER.size + len(payload)
        return self._end

    def read(self, max_bytes: int) -> Page:
        """Read records from the head on, up to about `max_bytes`; the head stays where it is."""
        entries: list[dict[bytes, bytes]] = []
        torn, position, limit = 0, self._head, self._head + max_bytes
        while position < min(limit, self._end):
            record = self._record_at(position)
            if record is None:
                torn += 1
                position = self._search(position + 1)
            else:
                entry, position = record
                entries.append(entry)
        return Page(entries, position, torn)

    def advance(self, head: int) -> None:
        """Note that Redis has every record before the offset `head`."""
        self._head = max(self._head, head)

    def remove(self) -> None:
        """Delete the file and let it go."""
        # Unlinked while locked, so that nobody can adopt what was replayed.
        self.path.unlink(missing_ok=True)
        self.close()

    def close(self) -> None:
        """Let the file go; what was not replayed waits for the next logger."""
        os.close(self._descriptor)

    def _record_at(self, position: int) -> tuple[dict[bytes, bytes], int] | None:
        header = os.pread(self._descriptor, _HEADER.size, position)
        if len(header) < _HEADER.size:
            return None
        mark, size_bytes, checksum = _HEADER.unpack(header)
        start = position + _HEADER.size
        if mark != _MARK or size_bytes > self._end - start:
            return None
        payload = os.pread(self._descriptor, size_bytes, start)
        if len(payload) < size_bytes or zlib.crc32(payload) != checksum:
            return None
        try:
            return _decoder.decode(payload), start + size_bytes
        except msgspec.DecodeError:
            return None

    def _search(self, position: int) -> int:
        """Return the offset of the next whole record, or the end of the file."""
        while position < self._end:
            window = os.pread(self._descriptor, _SEARCH_BYTES, position)
            found = window.find(_MARK)
            if found < 0:
                # A mark may lie across the edge of two windows.
                position += max(len(window) - len(_MARK) + 1, 1)
            elif self._record_at(position + found) is not None:
                return position + found
            else:
                position += found + 1
        return self._end


def queue_name(url: str) -> str:
    """Return a name for the Redis behind a URL, without its credentials: passwords change.

    Raises:
        SettingsError: It is not a URL of a Redis.
    """
    try:
        parts = urlsplit(url)
        address = (
            parts.hostname or "localhost",
            parts.port or 6379,
            parts.path,
            parse_qs(parts.query).get("db"),
        )
    except ValueError as error:
        raise SettingsError(f"the Redis URL is malformed: {error}") from error
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise SettingsError("the Redis URL must start with redis://, rediss:// or unix://")
    return hashlib.sha256(repr(address).encode()).hexdigest()[:16]


class SpoolFolder(msgspec.Struct, frozen=True):
    """The folder of one user's spool files, and which of them concern this queue.

    Attributes:
        path: The folder; made with mode 0700 when it is first needed.
        queue: Name of the Redis that the frames are meant for, safe in a file name.
    """

    path: Path
    queue: str

    def create(self, producer: str) -> SpoolFile:
        """Make and hold the file of one producer, mode 0600.

        Raises:
            OSError: The folder cannot be made or written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        path = self.path / f"{self.queue}.{producer}{SUFFIX}"
        while True:
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(path, flags, 0o600)
            # Waits only where another logger looks at the new file before it is held. That one
            # finds it empty and removes it: then there is no link left, and it is made again.
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            if os.fstat(descriptor).st_nlink:
                return SpoolFile(path, descriptor)
            os.close(descriptor)

    def orphans(self) -> Iterator[SpoolFile]:
        """Hold and yield each file whose owner is gone, oldest producer first."""
        for path in sorted(self.path.glob(f"{self.queue}.*{SUFFIX}")):
            file = _adopt(path)
            if file is not None:
                yield file


def _adopt(path: Path) -> SpoolFile | None:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None  # replayed by another logger meanwhile, or not ours to read
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    status = os.fstat(descriptor)
    # Another user's file could speak in our name.
    if not status.st_nlink or status.st_uid != os.geteuid():
        os.close(descriptor)
        return None
    return SpoolFile(path, descriptor)
