"""A segment: one append-only file of records, each with its checksum.

A record is: 4 bytes of mark, the payload's length and its CRC-32 (both 32 bits, little endian),
the payload (MessagePack of the stream entry's fields). Records survive a kill -9 of the process
because write() has handed them to the kernel; they are not fsynced, so a power cut may take the
last ones.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Mapping
from contextlib import suppress

import msgspec

# 0xff never occurs in UTF-8, so no plain frame can hold a mark by accident.
_MARK = b"\xffAPS"
_HEADER = struct.Struct("<4sII")
_SEARCH_BYTES = 1024 * 1024
_decoder = msgspec.msgpack.Decoder(dict[bytes, bytes])


def to_record(entry: Mapping[bytes, bytes]) -> bytes:
    """Return a stream entry as a record."""
    payload = msgspec.msgpack.encode(entry)
    return _HEADER.pack(_MARK, len(payload), zlib.crc32(payload)) + payload


class Segment:
    """One open file of records."""

    def __init__(self, directory: int, name: str) -> None:
        """Open or make the file `name` in an open directory, mode 0600.

        Raises:
            OSError: It cannot be opened, or is a link.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(name, flags, 0o600, dir_fd=directory)
        self.size_bytes = os.fstat(self._descriptor).st_size

    def append(self, record: bytes) -> None:
        """Write one record.

        Raises:
            OSError: The disk did not take it; what it took of it was cut off again.
        """
        rest = memoryview(record)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:
            with suppress(OSError):  # a stump is skipped when it is read
                os.ftruncate(self._descriptor, self.size_bytes)
            self.size_bytes = os.fstat(self._descriptor).st_size
            raise
        self.size_bytes += len(record)

    def read(self, offset: int, max_bytes: int) -> tuple[list[dict[bytes, bytes]], int, int]:
        """Read records from `offset` on, up to about `max_bytes`.

        Returns:
            The stream entries in their order, the offset after them, and the number of damaged
            stretches that were skipped.
        """
        entries: list[dict[bytes, bytes]] = []
        torn, limit = 0, min(offset + max_bytes, self.size_bytes)
        while offset < limit:
            record = self._record_at(offset)
            if record is None:
                torn += 1
                offset = self._search(offset + 1)
            else:
                entry, offset = record
                entries.append(entry)
        return entries, offset, torn

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _record_at(self, offset: int) -> tuple[dict[bytes, bytes], int] | None:
        header = os.pread(self._descriptor, _HEADER.size, offset)
        if len(header) < _HEADER.size:
            return None
        mark, length_bytes, checksum = _HEADER.unpack(header)
        start = offset + _HEADER.size
        if mark != _MARK or length_bytes > self.size_bytes - start:
            return None
        payload = os.pread(self._descriptor, length_bytes, start)
        if len(payload) < length_bytes or zlib.crc32(payload) != checksum:
            return None
        try:
            return _decoder.decode(payload), start + length_bytes
        except msgspec.DecodeError:
            return None

    def _search(self, offset: int) -> int:
        """Return the offset of the next whole record, or the end of the file."""
        while offset < self.size_bytes:
            window = os.pread(self._descriptor, _SEARCH_BYTES, offset)
            found = window.find(_MARK)
            if found < 0:
                # A mark may lie across the edge of two windows.
                offset += max(len(window) - len(_MARK) + 1, 1)
            elif self._record_at(offset + found) is not None:
                return offset + found
            else:
                offset += found + 1
        return self.size_bytes
