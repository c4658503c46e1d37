"""Frames survive the wire; anything else is refused with its reason and without harm."""

from __future__ import annotations

from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.errors import FrameError
from activity_pipeline.events import frame as wire
from activity_pipeline.events.frame import Frame

names = st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=wire.MAX_NAME_CHARACTERS)


@st.composite
def frames(draw: st.DrawFn) -> Frame:
    drops = draw(st.dictionaries(names, st.integers(0, 10**17), max_size=3))
    return Frame(
        body=draw(st.one_of(st.binary(), st.binary(min_size=1, max_size=9).map(lambda part: part * 500))),
        count=draw(st.integers(0, wire.MAX_COUNT)),
        producer=draw(names.filter(bool)),
        sequence=draw(st.integers(sum(drops.values()), 10**18 - 1)),
        drops=drops,
    )


def refusal(fields: dict[bytes, bytes], **options: Any) -> str:
    with pytest.raises(FrameError) as caught:
        wire.decode(fields, **options)
    return caught.value.reason


def streamed(body: bytes) -> bytes:
    """Compress as a streaming encoder does: the header does not say how large the content is."""
    return zstandard.ZstdCompressor(level=1, write_content_size=False).compress(body)


@given(frame=frames(), level=st.sampled_from([0, 1, 3]))
def test_a_frame_survives_the_wire(frame: Frame, level: int) -> None:
    assert wire.decode(wire.encode(frame, level=level)) == frame


def test_an_entry_with_its_events_alone_is_a_frame() -> None:
    assert wire.decode({b"e": b"{}\n"}) == Frame(body=b"{}\n")
    assert wire.decode({b"e": streamed(b"{}\n" * 9), b"z": b"zstd"}) == Frame(body=b"{}\n" * 9)


@given(body=st.binary(min_size=1).map(lambda part: part * 300), data=st.data())
def test_truncated_compression_is_refused(body: bytes, data: st.DataObject) -> None:
    for compressed in (zstandard.compress(body), streamed(body)):
        size = data.draw(st.integers(0, len(compressed) - 1))
        assert refusal({b"e": compressed[:size], b"z": b"zstd"}) == "frame_unreadable"


@given(body=st.binary(), tail=st.binary(min_size=1))
def test_data_after_the_compressed_frame_is_refused(body: bytes, tail: bytes) -> None:
    for compressed in (zstandard.compress(body), streamed(body)):
        assert refusal({b"e": compressed + tail, b"z": b"zstd"}) == "frame_unreadable"
        assert refusal({b"e": compressed + compressed, b"z": b"zstd"}) == "frame_unreadable"


@given(fields=st.dictionaries(st.sampled_from([b"e", b"z", b"p", b"s", b"n", b"d"]), st.binary(max_size=60)))
def test_any_entry_is_a_frame_or_refused(fields: dict[bytes, bytes]) -> None:
    try:
        wire.decode(fields)
    except FrameError as error:
        assert error.reason in {"frame_unreadable", "frame_too_large"}


@given(body=st.binary(max_size=200), data=st.data())
def test_a_damaged_byte_never_raises_anything_else(body: bytes, data: st.DataObject) -> None:
    compressed = bytearray(zstandard.compress(body * 10))
    compressed[data.draw(st.integers(0, len(compressed) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        wire.decode({b"e": bytes(compressed), b"z": b"zstd"})
    except FrameError as error:
        assert error.reason in {"frame_unreadable", "frame_too_large"}


@pytest.mark.parametrize("compress", [zstandard.compress, streamed])
def test_a_bomb_is_refused_before_it_fills_the_memory(compress: Any) -> None:
    bomb = compress(bytes(200 * 1024 * 1024))
    assert len(bomb) < 64 * 1024
    assert refusal({b"e": bomb, b"z": b"zstd"}) == "frame_too_large"


def test_the_limit_is_exact() -> None:
    for body in (bytes(1000), zstandard.compress(bytes(1000)), streamed(bytes(1000))):
        fields = {b"e": body} if len(body) == 1000 else {b"e": body, b"z": b"zstd"}
        assert len(wire.decode(fields, max_bytes=1000).body) == 1000
        assert refusal(fields, max_bytes=999) == "frame_too_large"


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b"e": b"", b"z": b"gzip"},
        {b"e": b"", b"p": b"\xff"},
        {b"e": b"", b"p": b"a\0b"},
        {b"e": b"", b"p": b"x" * 129},
        {b"e": b"", b"s": b"-1"},
        {b"e": b"", b"n": b"1" * 19},
        {b"e": b"", b"n": b"%d" % (wire.MAX_COUNT + 1)},
        {b"e": b"", b"d": b'{"full":1}'},
        {b"e": b"", b"p": b"a", b"s": b"2", b"d": b'{"full":2,"closed":1}'},
        {b"e": b"", b"d": b"[]"},
        {b"e": b"", b"d": b'{"a":-1}'},
        {b"e": b"", b"d": b'{"a\\u0000":1}'},
    ],
)
def test_malformed_fields_are_refused(fields: dict[bytes, bytes]) -> None:
    assert refusal(fields) == "frame_unreadable"
