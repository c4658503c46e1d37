"""Reading import files: plain or gzip, found out by their first bytes, line by line in bounded memory."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from io import BufferedIOBase
from itertools import chain

from activity_pipeline.errors import ImportFileError
from activity_pipeline.producer.buffer import MAX_LINE_BYTES

BLOCK_BYTES = 256 * 1024
_INFLATED_BYTES = 1024 * 1024
_GZIP_MAGIC = b"\x1f\x8b"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_GZIP_WINDOW_BITS = 31


class Source:
    """An import file, read once from front to back.

    Attributes:
        bytes_read: Bytes taken from the file so far, compressed where it is.
    """

    def __init__(self, stream: BufferedIOBase) -> None:
        """Take a buffered binary stream; it need not be seekable."""
        self._stream = stream
        self.bytes_read = 0

    def lines(self) -> Iterator[list[bytes]]:
        r"""Yield the lines that are not blank, without `\n` or `\r\n`, some at a time.

        The last line needs no line ending. Of a line that no frame can hold only so much is
        yielded that the logger sees that it is too large.

        Raises:
            ImportFileError: The gzip data is damaged or ends early; all whole lines before came out.
        """
        parts: list[bytes] = []
        size_bytes = 0
        for block in self._blocks():
            head, newline, tail = block.partition(b"\n")
            if size_bytes <= MAX_LINE_BYTES:
                parts.append(head)
            size_bytes += len(head)
            if not newline:
                continue
            *lines, rest = tail.split(b"\n")
            yield _tidy([b"".join(parts), *lines])
            parts, size_bytes = [rest], len(rest)
        yield _tidy([b"".join(parts)])

    def _blocks(self) -> Iterator[bytes]:
        first = b""
        raw = self._raw_blocks()
        # A pipe may hand over less than the magic bytes at once.
        while len(first) < len(_BYTE_ORDER_MARK) and (more := next(raw, b"")):
            first += more
        if first.startswith(_GZIP_MAGIC):
            yield from _inflate(chain([first], raw))
        else:
            yield first.removeprefix(_BYTE_ORDER_MARK)
            yield from raw

    def _raw_blocks(self) -> Iterator[bytes]:
        while block := self._stream.read1(BLOCK_BYTES):
            self.bytes_read += len(block)
            yield block


def _tidy(lines: list[bytes]) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in lines if line and not line.isspace()]


def _inflate(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Inflate gzip data of one or several members."""
    inflater = zlib.decompressobj(_GZIP_WINDOW_BITS)
    for block in blocks:
        rest = block
        while rest:
            if inflater.eof:
                rest = rest.lstrip(b"\0")  # padding between members, as from tape or cloud storage
                if not rest:
                    break
                inflater = zlib.decompressobj(_GZIP_WINDOW_BITS)
            before = inflater.copy()
            try:
                yield inflater.decompress(rest, _INFLATED_BYTES)
            except zlib.error as error:
                yield from _salvage(before, rest)
                raise ImportFileError(f"the gzip data is damaged: {error}") from error
            rest = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
    if not inflater.eof:
        raise ImportFileError("the gzip data ends early: the file is truncated")


def _salvage(inflater: zlib._Decompress, block: bytes) -> Iterator[bytes]:
    """Yield what comes before the damage: a failed call returns nothing, so go byte by byte."""
    for position in range(len(block)):
        try:
            yield inflater.decompress(block[position : position + 1])
        except zlib.error:
            return
