"""Moving old events to today by whole weeks, so that weekdays and hours keep their rhythm.

Only the date of the field `timestamp` changes: the time of day, offset, precision and all other
bytes of a line stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache

import msgspec

ONE_WEEK = timedelta(weeks=1)

_DATE_CHARACTERS = len("2012-03-14")


class _Timestamp(msgspec.Struct, gc=False):
    timestamp: str


_ours = msgspec.json.Decoder(_Timestamp)


def timestamp_reader(field: str) -> Callable[[bytes], datetime | None]:
    """Return a function that reads the instant in a record's `field`, None where there is none."""
    record = msgspec.defstruct("Record", [("timestamp", str)], rename={"timestamp": field}, gc=False)
    decode = msgspec.json.Decoder(record).decode

    def read(line: bytes) -> datetime | None:
        try:
            return _instant(decode(line).timestamp)  # type: ignore[attr-defined]
        except (ValueError, RecursionError):
            return None

    return read


def whole_weeks(last: datetime, now: datetime) -> int:
    """Return how many weeks move `last` as far as possible without moving it beyond `now`."""
    return (now - last) // ONE_WEEK


def shift(line: bytes, weeks: int) -> bytes:
    """Return an event line with its timestamp moved by whole weeks.

    A line that cannot be read, or whose timestamp cannot be moved, comes back as it is.
    """
    try:
        text = _ours.decode(line).timestamp
        if _instant(text) is None:
            return line
        moved = _shift_date(text[:_DATE_CHARACTERS], weeks)
    except (ValueError, OverflowError, RecursionError):
        return line
    quoted = b'"%b"' % text.encode()
    start = line.find(quoted)
    while start >= 0:
        shifted = line[: start + 1] + moved + line[start + 1 + _DATE_CHARACTERS :]
        # Metadata may hold the same text: only the event's own may change.
        if _ours.decode(shifted).timestamp != text:
            return shifted
        start = line.find(quoted, start + 1)
    return line


def _instant(text: str) -> datetime | None:
    # Of the forms of ISO 8601, only 2012-03-14 and a time can be moved in place.
    if text[4:5] != "-" or text[7:8] != "-" or text[10:11] not in {"T", "t", " "}:
        return None
    instant = datetime.fromisoformat(text)
    return instant if instant.tzinfo else None


@lru_cache(maxsize=10_000)
def _shift_date(day: str, weeks: int) -> bytes:
    return (date.fromisoformat(day) + weeks * ONE_WEEK).isoformat().encode()
