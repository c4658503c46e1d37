"""Events in the formats that people take away: NDJSON, CSV, Parquet. Some at a time."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from itertools import chain

import msgspec

from activity_pipeline.archive.files.stream import parquet_stream
from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.activities import Row
from activity_pipeline.query.answers import Event

Batches = Iterator[list[Event]]


def ndjson(batches: Batches) -> Iterator[bytes]:
    """Yield a JSON object a line."""
    encoder = msgspec.json.Encoder()
    for events in batches:
        yield b"".join(encoder.encode(event) + b"\n" for event in events)


def csv_lines(batches: Batches) -> Iterator[bytes]:
    """Yield a head and a line for each event (RFC 4180); metadata as JSON."""
    for rows in chain([[FIELDS]], map(_rows, batches)):
        text = io.StringIO()
        csv.writer(text).writerows(map(_plain, rows))
        yield text.getvalue().encode()


def parquet(batches: Batches) -> Iterator[bytes]:
    """Yield a Parquet file, with the columns that the archive's files have."""
    return (part for part in parquet_stream(map(_rows, batches)) if part)


FORMATS: dict[str, tuple[str, Callable[[Batches], Iterator[bytes]]]] = {
    "ndjson": ("application/x-ndjson", ndjson),
    "csv": ("text/csv; charset=utf-8", csv_lines),
    "parquet": ("application/vnd.apache.parquet", parquet),
}
"""Media type and encoder of each format."""


def _rows(events: list[Event]) -> list[Row]:
    return [(*(getattr(event, name) for name in FIELDS[:-1]), event.metadata_text) for event in events]


def _plain(row: Row) -> list[str]:
    return [
        "" if value is None else value.isoformat() if hasattr(value, "isoformat") else str(value)
        for value in row
    ]
