"""The wire frame: one Redis stream entry that carries many events.

    field   meaning
    e       the events as NDJSON in UTF-8, one event a line
    z       `zstd` where e is compressed; absent where it is plain
    p       producer id, text
    s       sequence number of the first event (each producer counts from 0)
    n       number of events
    d       declared drops, JSON object reason -> count, since the frame before

An entry with `e` alone is legal, from any language. A dropped event has used up a sequence
number right before s, so that the sequence alone tells what the sink should have seen.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Annotated

import msgspec
import zstandard

from activity_pipeline.errors import FrameError
from activity_pipeline.events.model import MAX_FRAME_BYTES, DeadLetterReason

COMPRESS_FROM_BYTES = 1024
"""Below this a frame is sent plain: zstd's header would eat the gain."""

MAX_NAME_CHARACTERS = 128
"""Longest producer id and drop reason, in characters. Neither holds a NUL: Postgres could not keep it."""

_STEP_BYTES = 1024
"""Compressed bytes inflated at a time where the size is unknown; one step yields 43 MiB at the worst."""

Name = Annotated[str, msgspec.Meta(max_length=MAX_NAME_CHARACTERS, pattern=r"^[^\x00]*$")]
"""A producer id or a drop reason."""

MAX_SEQUENCE = 10**18
"""Sequence numbers stay below, so that sums of them fit into 64 bits."""

Drops = Annotated[int, msgspec.Meta(ge=0, lt=MAX_SEQUENCE)]
"""A count of dropped events."""


MAX_COUNT = MAX_FRAME_BYTES
"""Most events that a frame may say it holds: one cannot be shorter than its newline."""


class Frame(msgspec.Struct, frozen=True, kw_only=True):
    """Events as they travel.

    Attributes:
        body: NDJSON bytes, each line ended by a newline.
        count: Number of lines as the producer declared it; 0 where it declared none.
        producer: Producer id, empty for a foreign entry without one.
        sequence: Sequence number of the first event.
        drops: Events that the producer had to drop since its frame before, by reason.
    """

    body: bytes
    count: int = 0
    producer: str = ""
    sequence: int = 0
    drops: dict[str, int] = {}


def encode(frame: Frame, *, level: int = 1) -> dict[bytes, bytes]:
    """Return the fields of the stream entry; `level` is zstd's, 0 sends plain."""
    fields = {b"e": frame.body}
    if level and len(frame.body) >= COMPRESS_FROM_BYTES:
        fields = {b"e": zstandard.ZstdCompressor(level=level).compress(frame.body), b"z": b"zstd"}
    if frame.producer:
        fields[b"p"] = frame.producer.encode()
        fields[b"s"] = b"%d" % frame.sequence
        fields[b"n"] = b"%d" % frame.count
    if frame.drops:
        fields[b"d"] = msgspec.json.encode(frame.drops)
    return fields


def decode(fields: dict[bytes, bytes], *, max_bytes: int = MAX_FRAME_BYTES) -> Frame:
    """Read a stream entry.

    Raises:
        FrameError: With `reason` (frame_unreadable or frame_too_large) and what could be read of
            the entry's header: `producer`, `sequence`, `count` and `drops` (else "", 0, 0 and {}).
    """
    header = Frame(body=b"")
    try:
        header = Frame(
            body=b"",
            count=_natural(fields.get(b"n", b"0"), MAX_COUNT),
            producer=msgspec.convert(fields.get(b"p", b"").decode(), Name),
            sequence=_natural(fields.get(b"s", b"0"), MAX_SEQUENCE - 1),
            drops=_drops(fields),
        )
        body = _inflate(fields[b"e"], fields.get(b"z", b""), max_bytes)
    except KeyError:
        raise _refused("the entry has no field e", header) from None
    except ValueError as error:
        raise _refused(f"the entry's fields are malformed: {error}", header) from error
    except zstandard.ZstdError as error:
        raise _refused(f"zstd: {error}", header) from error
    except _TooLargeError:
        raise _refused(
            f"the frame holds more than {max_bytes} bytes", header, DeadLetterReason.FRAME_TOO_LARGE
        ) from None
    return msgspec.structs.replace(header, body=body)


def lines_of(body: bytes) -> list[bytes]:
    """Return a frame's lines without their newlines; those of white space alone are none."""
    return [line for line in body.split(b"\n") if line.strip(b" \t\r")]


def pack_other_fields(fields: Mapping[bytes, bytes]) -> bytes:
    """Write an entry's fields beside `e` as a MessagePack map, for an entry that cannot be opened."""
    return msgspec.msgpack.encode({name: value for name, value in fields.items() if name != b"e"})


def unpack_other_fields(packed: bytes) -> dict[bytes, bytes]:
    """Read what `pack_other_fields` wrote."""
    return msgspec.msgpack.decode(packed, type=dict[bytes, bytes])


def salvage(body: bytes) -> tuple[bytes, bool]:
    """Return what can be read of the body of an entry that was refused, and whether that is all of it."""
    parts: list[bytes] = []
    size_bytes = 0
    while body.startswith(zstandard.FRAME_HEADER):
        inflater = zstandard.ZstdDecompressor().decompressobj()
        read_bytes = 0
        with contextlib.suppress(zstandard.ZstdError):
            while read_bytes < len(body) and not inflater.eof and size_bytes <= MAX_FRAME_BYTES:
                parts.append(inflater.decompress(body[read_bytes : read_bytes + _STEP_BYTES]))
                read_bytes += _STEP_BYTES
                size_bytes += len(parts[-1])
        if not inflater.eof:
            return b"".join(parts), False
        body = inflater.unused_data + body[read_bytes:]
    return b"".join([*parts, body]), True


class _TooLargeError(Exception):
    """The body is over the limit."""


def _natural(digits: bytes, largest: int) -> int:
    if not digits.isdigit() or len(digits) > 18 or int(digits) > largest:
        raise ValueError(f"{digits[:32]!r} is not a natural number up to {largest}")
    return int(digits)


def _drops(fields: dict[bytes, bytes]) -> dict[str, int]:
    if b"d" not in fields:
        return {}
    drops = msgspec.json.decode(fields[b"d"], type=dict[Name, Drops])
    if sum(drops.values()) > (int(fields.get(b"s", b"0")) if fields.get(b"p") else 0):
        raise ValueError("more drops are declared than there are sequence numbers before the frame")
    return drops


def _inflate(body: bytes, compression: bytes, max_bytes: int) -> bytes:
    if not compression:
        plain = body
    elif compression == b"zstd":
        # The header is asked first because decompress() would allocate whatever it claims.
        claimed_bytes = zstandard.get_frame_parameters(body).content_size
        # decompress() takes a claim of 0 at its word and does not look at what follows.
        if claimed_bytes in {0, zstandard.CONTENTSIZE_UNKNOWN}:
            return _inflate_stepwise(body, max_bytes)
        if claimed_bytes > max_bytes:
            raise _TooLargeError
        # Extra data would be the events of a second zstd frame, lost without a word.
        plain = zstandard.ZstdDecompressor().decompress(body, allow_extra_data=False)
    else:
        raise ValueError(f"compression {compression[:32]!r} is not known")
    if len(plain) > max_bytes:
        raise _TooLargeError
    return plain


def _inflate_stepwise(body: bytes, max_bytes: int) -> bytes:
    """Inflate where the header does not say how large the content is, as streaming encoders write it."""
    inflater = zstandard.ZstdDecompressor().decompressobj()
    parts: list[bytes] = []
    size_bytes = 0
    for start in range(0, len(body), _STEP_BYTES):
        parts.append(inflater.decompress(body[start : start + _STEP_BYTES]))
        size_bytes += len(parts[-1])
        if size_bytes > max_bytes:
            raise _TooLargeError
        if inflater.eof:
            if inflater.unused_data or start + _STEP_BYTES < len(body):
                raise ValueError("there is data after the end of the zstd frame")
            return b"".join(parts)
    raise ValueError("the zstd frame is truncated")


def _refused(
    message: str, header: Frame, reason: DeadLetterReason = DeadLetterReason.FRAME_UNREADABLE
) -> FrameError:
    return FrameError(
        message,
        reason=reason,
        producer=header.producer,
        sequence=header.sequence,
        count=header.count,
        drops=header.drops,
    )
