"""A row of an audit table to an event's line, and to what proves that nothing of it was lost.

The id is a UUIDv7 of the row's own time whose random part is a hash of the table and the key: the same
row makes the same event each time. Metadata names the table under `imported_from`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec

from activity_pipeline.legacy.mapping.model import PLACE, Mapping, constant_of

ORIGIN = "imported_from"
_ROW = msgspec.json.Decoder(dict[str, msgspec.Raw])
_EXACT = msgspec.json.Decoder(float_hook=Decimal)
_CANONICAL = msgspec.json.Encoder(order="sorted", decimal_format="string")
LANE = 1 << 120
_NULL = b"null"
Row = dict[str, Any]
"""Values by column, as JSON."""


class Mapper:
    """Makes lines of rows. A row that makes no event makes a line all the same: the judge refuses it."""

    def __init__(self, mapping: Mapping) -> None:
        """Prepare for a mapping that was checked."""
        self._mapping = mapping
        self._zone = ZoneInfo(mapping.time_zone) if mapping.time_zone else None
        self._origin = msgspec.json.encode(mapping.table)
        self._fields = {
            field: [self._reader(source) for source in mapping.sources(field)]
            for field in mapping.fields
            if field != "timestamp"
        }

    def line(self, row_text: str) -> bytes:
        """Return the event of a row as one NDJSON line.

        Args:
            row_text: The row as `to_jsonb(row)::text` writes it, in UTC.
        """
        row: Row = _ROW.decode(row_text)
        timestamp, at = self._timestamp(row)
        event: dict[str, Any] = {"id": self._id(row, at), "timestamp": timestamp}
        for field, readers in self._fields.items():
            value = next((found for read in readers if (found := read(row)) is not None), None)
            if value is not None:
                event[field] = value
        metadata = {ORIGIN: msgspec.Raw(self._origin)}
        for column in self._mapping.metadata:
            raw = row.get(column)
            if raw is not None and bytes(raw) != _NULL:
                metadata[column] = raw
        event["metadata"] = metadata
        return msgspec.json.encode(event)

    def _reader(self, source: str) -> Callable[[Row], str | None]:
        constant = constant_of(source)
        if constant is not None:
            return lambda _: constant
        if not PLACE.search(source):
            return lambda row: self._text(row, source)
        parts = PLACE.split(source)

        def fill(row: Row) -> str | None:
            values = [self._text(row, part) if n % 2 else part for n, part in enumerate(parts)]
            return None if None in values else "".join(value for value in values if value is not None)

        return fill

    def _text(self, row: Row, column: str) -> str | None:
        raw = row.get(column)
        if raw is None or bytes(raw) == _NULL:
            return None
        text = msgspec.json.decode(raw, type=str) if bytes(raw)[:1] == b'"' else bytes(raw).decode()
        return self._mapping.values.get(column, {}).get(text, text)

    def _timestamp(self, row: Row) -> tuple[str | None, datetime | None]:
        text = self._text(row, self._mapping.time)
        if text is None:
            return None, None
        try:
            at = datetime.fromisoformat(text)
        except ValueError:  # infinity, or of a year that Python has not
            return text, None
        if at.tzinfo is None:
            at = at.replace(tzinfo=self._zone or UTC)
        at = at.astimezone(UTC)
        return at.isoformat(timespec="microseconds").replace("+00:00", "Z"), at

    def _id(self, row: Row, at: datetime | None) -> str:
        key = b"\0".join(bytes(row.get(column, _NULL)) for column in self._mapping.key)
        hashed = hashlib.sha256(self._mapping.table.encode() + b"\0" + key).digest()
        milliseconds = int(at.timestamp() * 1000) if at and at.year >= 1970 else 0
        number = milliseconds << 80 | int.from_bytes(hashed[:10])
        number = number & ~(0xF << 76) | 7 << 76
        return str(UUID(int=number & ~(0x3 << 62) | 0x2 << 62))


def fingerprint(events: Sequence[Sequence[Any]]) -> int:
    """Return the sum of the hashes of events, modulo 2^120: the same for the same set, in any order.

    Args:
        events: The nine fields of each, metadata as JSON text.
    """
    total = 0
    for event_id, timestamp, *texts, metadata in events:
        said = _CANONICAL.encode(
            [
                str(event_id),
                timestamp,
                *(None if text is None else str(text) for text in texts),
                _EXACT.decode(metadata) if metadata else None,
            ]
        )
        total += int.from_bytes(hashlib.sha256(said).digest()[:15])
    return total % LANE
