"""Lines come out of plain and compressed files whole, however the file is cut into blocks."""

from __future__ import annotations

import gzip
import io
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.errors import ImportFileError
from activity_pipeline.producer import reading
from activity_pipeline.producer.reading import Source

texts = st.lists(st.sampled_from([b"a", b"\n", b"\r\n", b" ", b'{"x":1}', b"\xff", b"\0"]), max_size=60)


class SlowPipe(io.BytesIO):
    """Hands over a few bytes at a time, as a pipe may."""

    def __init__(self, content: bytes, step: int) -> None:
        super().__init__(content)
        self.step = step

    def read1(self, size: int | None = -1, /) -> bytes:
        return super().read1(min(self.step, size) if size and size > 0 else self.step)


def lines_of(content: bytes, step: int = 10_000) -> list[bytes]:
    return [line for lines in Source(SlowPipe(content, step)).lines() for line in lines]


def expected(content: bytes) -> list[bytes]:
    return [line.removesuffix(b"\r") for line in content.split(b"\n") if line.strip()]


@given(parts=texts, step=st.integers(1, 50), members=st.integers(1, 3))
def test_lines_are_the_same_plain_and_compressed(parts: list[bytes], step: int, members: int) -> None:
    content = b"x" + b"".join(parts)
    assert lines_of(content, step) == expected(content)
    cut = len(content) // members
    pieces = [content[number * cut : (number + 1) * cut] for number in range(members - 1)]
    pieces.append(content[(members - 1) * cut :])
    assert lines_of(b"".join(map(gzip.compress, pieces)) + b"\0" * 7, step) == expected(content)


@given(count=st.integers(1, 300), data=st.data())
def test_a_truncated_gzip_yields_its_whole_lines_first(count: int, data: st.DataObject) -> None:
    lines = [b'{"number":%d}' % number for number in range(count)]
    compressed = gzip.compress(b"\n".join([*lines, b""]))
    content = compressed[: data.draw(st.integers(3, len(compressed) - 1))]
    found: list[bytes] = []
    with pytest.raises(ImportFileError, match="truncated"):
        for block in Source(io.BytesIO(content)).lines():
            found += block
    assert found == lines[: len(found)]
    inflated = zlib.decompressobj(31).decompress(content)
    assert len(found) == inflated.count(b"\n")


def test_a_damaged_gzip_yields_all_before_the_damage() -> None:
    lines = [b"%064x" % (number * 7919**9) for number in range(20_000)]
    content = bytearray(gzip.compress(b"\n".join([*lines, b""])))
    content[len(content) // 2] ^= 0xFF
    found: list[bytes] = []
    with pytest.raises(ImportFileError, match="damaged"):
        for block in Source(io.BytesIO(bytes(content))).lines():
            found += block
    right = sum(one == other for one, other in zip(found, lines, strict=False))
    assert right > 9_000


def test_a_byte_order_mark_is_not_part_of_the_first_line() -> None:
    assert lines_of(b"\xef\xbb\xbf{}\r\n[]", 1) == [b"{}", b"[]"]


def test_an_empty_file_has_no_lines() -> None:
    assert lines_of(b"") == lines_of(b"\n \n") == lines_of(gzip.compress(b"")) == []


def test_a_line_without_an_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MAX_LINE_BYTES", 1000)
    first, *rest = lines_of(b"a" * 50_000 + b"\nb\n" + b"c" * 900, 100)
    assert 1000 < len(first) < 1200
    assert rest == [b"b", b"c" * 900]


def test_the_bytes_read_are_those_of_the_file() -> None:
    content = gzip.compress(b"{}\n" * 1000)
    source = Source(io.BytesIO(content))
    assert sum(map(len, source.lines())) == 1000
    assert source.bytes_read == len(content)
