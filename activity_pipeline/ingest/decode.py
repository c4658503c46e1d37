"""Stream entries to a batch: frames opened, lines split without a copy, judged column-wise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from activity_pipeline.errors import FrameError
from activity_pipeline.events import frame as wire
from activity_pipeline.events.judge import judge
from activity_pipeline.events.model import DeadLetterReason, Rules
from activity_pipeline.hot.batch import (
    BATCH_SCHEMA,
    DEAD_LETTER_SCHEMA,
    PRODUCER,
    Batch,
    Drops,
    Receipt,
    dead_letters,
)
from activity_pipeline.queue.read import Entry

_NEWLINE = 10
_WHITE_SPACE = b" \t\r"
_BLANK_LINE = re.compile(rb"\n[ \t\r]*\n")
_LATEST_MS = int(datetime(9999, 12, 31, tzinfo=UTC).timestamp()) * 1000


@dataclass(frozen=True, slots=True)
class _Opened:
    """A frame whose body is at hand."""

    entry: Entry
    receipt_number: int
    lines: int


class _Decoder:
    """Entries of one shard, on their way to a batch."""

    def __init__(self, shard: int) -> None:
        self.shard = shard
        self.receipts: dict[str, Receipt] = {}
        self.receipt_numbers: dict[str, int] = {}
        self.opened: list[_Opened] = []
        self.bodies: list[bytes] = []
        self.size_bytes = 0
        self.lines = 0
        self.unreadable: list[dict[str, Any]] = []
        self.arrived: Counter[date] = Counter()

    def open(self, entry: Entry) -> None:
        """Open one entry and note what its producer says."""
        try:
            frame = wire.decode(entry.fields)
        except FrameError as error:
            self._note_unreadable(entry, error)
            return
        body, lines = _without_blank_lines(frame.body)
        self._receive(frame.producer, frame.sequence, lines, max(frame.count, lines), frame.drops)
        self.opened.append(_Opened(entry, self.receipt_numbers[frame.producer], lines))
        self.bodies.append(body)
        self.size_bytes += len(body)
        self.lines += lines
        self.arrived[_instant(entry).date()] += lines

    def _receive(
        self, producer: str, sequence: int, received: int, issued: int, dropped: Mapping[str, int]
    ) -> Receipt:
        receipt = self.receipts.setdefault(producer, Receipt(producer))
        self.receipt_numbers.setdefault(producer, len(self.receipt_numbers))
        receipt.received += received
        if producer:
            receipt.issued = max(receipt.issued, sequence + issued)
            if received:
                receipt.ranges.append((sequence, sequence + received))
            drops = Drops(sequence - sum(dropped.values()), sequence, dropped)
            if dropped and drops not in receipt.drops:
                receipt.drops.append(drops)
        else:
            receipt.issued += received
        return receipt

    def _note_unreadable(self, entry: Entry, error: FrameError) -> None:
        count = max(error.count, 1)
        receipt = self._receive(error.producer, error.sequence, count, count, error.drops)
        receipt.dead_lettered += count
        self.arrived[_instant(entry).date()] += count
        self.unreadable.append(
            {
                "received_at": _instant(entry),
                "shard": self.shard,
                "entry_id": entry.id,
                "line_number": -1,
                "producer_id": error.producer,
                "reason": str(error.reason),
                "line": entry.fields.get(b"e", b""),
                "event_count": count,
                "other_fields": wire.pack_other_fields(entry.fields),
            }
        )


def decode_entries(
    entries: Sequence[Entry],
    rules: Rules,
    *,
    shard: int,
    max_rows: int,
    max_bytes: int,
    now: datetime | None = None,
) -> Batch:
    """Decode entries until the batch is full; the last one used is `Batch.through`.

    Args:
        entries: In stream order, at least one.
        rules: What an event may be.
        shard: Their stream.
        max_rows: No further entry is opened once the batch has as many lines.
        max_bytes: The same for bytes of inflated frames.
        now: The instant that timestamps are held against; default: now.
    """
    decoder = _Decoder(shard)
    through = entries[0]
    for entry in entries:
        decoder.open(entry)
        through = entry
        if decoder.lines >= max_rows or decoder.size_bytes >= max_bytes:
            break
    return _judged(decoder, rules, through, now or datetime.now(UTC))


def _judged(decoder: _Decoder, rules: Rules, through: Entry, now: datetime) -> Batch:
    raw = _split(b"".join(decoder.bodies))
    counts = [opened.lines for opened in decoder.opened]
    frame_of = np.repeat(np.arange(len(counts)), counts)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]) if counts else np.zeros(0)
    producers = list(decoder.receipts)
    receipt_of = pa.array([opened.receipt_number for opened in decoder.opened], pa.int32())
    frames = pa.array(frame_of, pa.int32())
    origins = pa.table(
        {
            "received_at": pa.array(
                [_instant(opened.entry) for opened in decoder.opened], pa.timestamp("us", tz="UTC")
            ).take(frames),
            "shard": pa.array(np.full(len(raw), decoder.shard), pa.int32()),
            "entry_id": pa.array([opened.entry.id for opened in decoder.opened], pa.string()).take(frames),
            "line_number": pa.array(np.arange(len(raw)) - starts[frame_of], pa.int32()),
            "producer_id": pa.array(producers, pa.string()).take(receipt_of.take(frames)),
        }
    )
    readable, torn = _utf8(raw)
    lines = origins.select(["received_at", "entry_id", "line_number"]).append_column("line", raw)
    lines = lines.take(readable).set_column(3, "line", raw.take(readable).cast(pa.string()))
    verdicts = judge(lines, rules, shard=decoder.shard, now=now)
    good = readable.take(verdicts.event_positions)
    refused = pa.concat_arrays([readable.take(verdicts.refused_positions), torn])
    reasons = pa.concat_arrays(
        [verdicts.refused_reasons, pa.array([DeadLetterReason.NOT_UTF8.value] * len(torn), pa.string())]
    )
    numbers = receipt_of.take(frames)
    receipts = list(decoder.receipts.values())
    for number in numbers.take(refused).to_pylist():
        receipts[number].dead_lettered += 1
    return Batch(
        through=through.id,
        events=verdicts.events.append_column(PRODUCER, numbers.take(good)).cast(BATCH_SCHEMA),
        lines=raw.take(good),
        origins=origins.take(good),
        dead_letters=pa.concat_tables(
            [
                dead_letters(origins.take(refused), reasons, raw.take(refused)),
                pa.Table.from_pylist(decoder.unreadable, schema=DEAD_LETTER_SCHEMA),
            ]
        ),
        receipts=receipts,
        arrived=decoder.arrived,
    )


def _without_blank_lines(body: bytes) -> tuple[bytes, int]:
    """End the last line, drop those of white space alone; return the body and its number of lines."""
    if body and not body.endswith(b"\n"):
        body += b"\n"
    if body[:1] in {b" ", b"\t", b"\r", b"\n"} or _BLANK_LINE.search(body):
        body = b"".join(line + b"\n" for line in body.split(b"\n") if line.strip(_WHITE_SPACE))
    return body, body.count(b"\n")


def _split(body: bytes) -> pa.Array:
    """Return the lines (each with its newline) as a binary array over the same bytes."""
    buffer = np.frombuffer(body, np.uint8)
    ends = (np.flatnonzero(buffer == _NEWLINE) + 1).astype(np.int32)
    offsets = np.concatenate([np.zeros(1, np.int32), ends])
    return pa.Array.from_buffers(pa.binary(), len(ends), [None, pa.py_buffer(offsets), pa.py_buffer(body)])


def _utf8(lines: pa.Array) -> tuple[pa.Array, pa.Array]:
    """Return the positions of lines that are UTF-8, and of the others."""
    every = pa.array(range(len(lines)), pa.int32())
    try:
        lines.cast(pa.string())
    except pa.ArrowInvalid:
        valid = pa.array([_is_utf8(line) for line in lines.to_pylist()], pa.bool_())
        return every.filter(valid), every.filter(pa.compute.invert(valid))
    return every, every.slice(0, 0)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _instant(entry: Entry) -> datetime:
    # An explicit XADD id may lie beyond any calendar.
    return datetime.fromtimestamp(min(entry.milliseconds, _LATEST_MS) / 1000, UTC)
