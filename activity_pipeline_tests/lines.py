"""Lines for the tests to send: good events, and at least one broken line or entry for each reason."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import zstandard

from activity_pipeline.events.model import MAX_FRAME_BYTES, Rules
from activity_pipeline.events.model import DeadLetterReason as Reason

RULES = Rules(allowed_statuses=("success", "failed"))
"""The rules that the broken lines are held against."""


def event(number: int, at: datetime, **fields: Any) -> dict[str, Any]:
    """Return an event whose id and content follow from its number."""
    return {
        "id": str(uuid.UUID(int=number, version=4)),
        "timestamp": at.isoformat(),
        "source": f"shop{number % 3}",
        "action": f"order.{number % 5}",
        "entity_type": "order",
        "entity_id": str(number % 7),
        "user_id": str(uuid.UUID(int=number % 11, version=4)),
        "status": "failed" if number % 4 == 0 else "success",
        "metadata": {"number": number, "note": "it's “fine”\n"},
        **fields,
    }


def line(number: int, at: datetime, **fields: Any) -> bytes:
    """Return the JSON line of an event."""
    return msgspec.json.encode(event(number, at, **fields))


def lines(first: int, count: int, at: datetime, step: timedelta = timedelta(microseconds=1)) -> list[bytes]:
    """Return lines of events that follow each other."""
    return [line(first + n, at + n * step) for n in range(count)]


def _with(**fields: Any) -> bytes:
    return msgspec.json.encode({"source": "s", "action": "a", **fields})


_IN_TWO_DAYS = (datetime.now(UTC) + timedelta(days=2)).isoformat()

BROKEN_LINES: dict[Reason, list[bytes]] = {
    Reason.NOT_UTF8: [b'{"source":"\xff","action":"a"}', b'{"source":"s","action":"\xc3"}', b"\xed\xa0\x80"],
    Reason.NOT_JSON: [
        b'{"source":"s","action":"a"',
        b'{"source":"s","action":"a"} {}',
        b'{"source":"s","action":"a",}',
        b'{"source":"s","action":"a","metadata":{"a":[1,2,]}}',
        b'{"source":"s","action":"a","metadata":{"a":01}}',
        b'{"source":"s","action":"a\tb"}',
        b'{"source":"s","action":"\\ud800"}',
        b'{"source":"s","action":"a","metadata":{"a":1 /* one */}}',
        b"\xef\xbb\xbf{}",
        b"{'source':'s','action':'a'}",
        b"source=s action=a",
    ],
    Reason.NOT_AN_OBJECT: [b"[]", b"null", b"1", b'"a"', b'[{"source":"s","action":"a"}]'],
    Reason.UNKNOWN_FIELD: [_with(colour="red"), _with(entitytype="x"), b'{"source":"s","action":"a","":1}'],
    Reason.REPEATED_FIELD: [
        b'{"source":"s","action":"a","source":"s"}',
        b'{"source":"s","action":"a","entity_id":"1","entityId":"1"}',
        b'{"source":"s","action":"a","metadata":{},"details":{}}',
    ],
    Reason.MISSING_FIELD: [b"{}", b'{"source":"s"}', b'{"action":"a"}', b'{"source":null,"action":"a"}'],
    Reason.WRONG_TYPE: [
        _with(source=1),
        _with(entity_id=7),
        _with(status=True),
        _with(metadata="x"),
        _with(metadata=[]),
        _with(details=1),
        _with(timestamp=1767225600),
        _with(user_id={}),
    ],
    Reason.BAD_ID: [_with(id=""), _with(id="7"), _with(id="00000000-0000-0000-0000-00000000000g")],
    Reason.BAD_TIMESTAMP: [
        _with(timestamp="2026-03-01T10:00:00"),
        _with(timestamp="2026-02-30T10:00:00Z"),
        _with(timestamp="2026-03-01T25:00:00Z"),
        _with(timestamp="2026-03-01T10:00:00+99:99"),
        _with(timestamp="2026-03-01"),
        _with(timestamp="yesterday"),
        _with(timestamp="infinity"),
        _with(timestamp=""),
    ],
    Reason.TIMESTAMP_AHEAD: [_with(timestamp=_IN_TWO_DAYS), _with(timestamp="9999-12-31T23:59:59Z")],
    Reason.TIMESTAMP_TOO_OLD: [
        _with(timestamp="1999-12-31T23:59:59.999999Z"),
        _with(timestamp="0001-01-01T00:00:00Z"),
    ],
    Reason.BAD_USER_ID: [_with(user_id=""), _with(user_id="root"), _with(userId="0")],
    Reason.TEXT_LENGTH: [
        _with(source=""),
        _with(action=""),
        _with(status=""),
        _with(source="ä" * 65),
        _with(action="x" * 129),
        _with(entity_type="x" * 65),
        _with(entity_id="x" * 513),
    ],
    Reason.NUL_CHARACTER: [
        _with(source="a\0"),
        _with(entity_id="\0"),
        _with(metadata={"a": "\0"}),
        _with(metadata={"\0": 1}),
        b'{"source":"s","action":"a","metadata":{"a":"\\\\\\u0000"}}',
    ],
    Reason.NOT_ALLOWED: [_with(status="odd")],
    Reason.METADATA_TOO_LARGE: [_with(metadata={"a": "x" * 65536}), _with(details={"a": "x" * 1024 * 1024})],
    Reason.METADATA_REFUSED: [
        b'{"source":"s","action":"a","metadata":{"a":NaN}}',
        b'{"source":"s","action":"a","metadata":{"a":-Infinity}}',
        b'{"source":"s","action":"a","metadata":{"a":1e400000}}',
        b'{"source":"s","action":"a","metadata":{"a":' + b"[" * 30000 + b"]" * 30000 + b"}}",
        b'{"source":"s","action":"a","metadata":{"a": 1.5,"b":' + b"[" * 9000 + b"]" * 9000 + b"}}",
    ],
}
"""Lines that are refused, each with one of the cases' bytes and without a newline."""

REFUSED_BY_POSTGRES = frozenset({Reason.METADATA_REFUSED})
"""Reasons that judge() does not find: Postgres has the last word on jsonb."""

BROKEN_ENTRIES: dict[Reason, list[dict[bytes, bytes]]] = {
    Reason.FRAME_UNREADABLE: [
        {b"x": b"1"},
        {b"e": b"not zstd", b"z": b"zstd"},
        {b"e": b"{}\n", b"z": b"lz4"},
        {b"e": b"{}\n", b"n": b"many"},
        {b"e": b"{}\n", b"n": b"9" * 18},
        {b"e": b"{}\n", b"p": b"a\0b"},
        {b"e": b"{}\n", b"d": b'{"full":3}'},
    ],
    Reason.FRAME_TOO_LARGE: [{b"e": zstandard.compress(bytes(MAX_FRAME_BYTES + 1)), b"z": b"zstd"}],
}
"""Stream entries that are refused whole."""
