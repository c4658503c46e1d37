"""Stream entries to a batch: frames opened, lines split without a copy, judged column-wise."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from activity_pipeline.errors import FrameError
from activity_pipeline.events import frame as wire
from activity_pipeline.events.judge import judge
from activity_pipeline.events.model import DeadLetterReason, Rules
from activity_pipeline.hot.batch import (
    BATCH_SCHEMA,
    DEAD_LETTER_SCHEMA,
    ORIGIN,
    PRODUCER,
    UNSEQUENCED,
    Batch,
    Drops,
    Receipt,
    dead_letters,
)
from activity_pipeline.queue.read import Entry

_NEWLINE = 10
_WHITE_SPACE = b" \t\r"
_IS_WHITE = np.isin(np.arange(256), list(_WHITE_SPACE + b"\n"))
Ends = npt.NDArray[np.int64]
"""Offsets after the newlines of a body."""
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
        self.ends: list[Ends] = []
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
        body, ends = _without_blank_lines(frame.body)
        lines = len(ends)
        self._receive(frame.producer, frame.sequence, lines, max(frame.count, lines), frame.drops)
        self.opened.append(_Opened(entry, self.receipt_numbers[frame.producer], lines))
        self.bodies.append(body)
        self.ends.append(ends)
        self.size_bytes += len(body)
        self.lines += lines
        self.arrived[_instant(entry).date()] += lines

    def _receive(
        self, producer: str, sequence: int, received: int, issued: int, dropped: Mapping[str, int]
    ) -> Receipt:
        receipt = self.receipts.setdefault(producer, Receipt(producer))
        self.receipt_numbers.setdefault(producer, len(self.receipt_numbers))
        receipt.received += received
        if producer not in UNSEQUENCED:
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
    raw = _split(decoder.bodies, decoder.ends)
    producer_of_frame = pa.array([opened.receipt_number for opened in decoder.opened], pa.int32())
    frames, origins = _origins(decoder)
    readable, torn = _utf8(raw)
    lines = origins.append_column("line", readable.text)
    if len(torn):
        lines = lines.take(readable.positions)
    verdicts = judge(lines, rules, shard=decoder.shard, now=now)
    positions, refused = verdicts.event_positions, verdicts.refused_positions
    if len(torn):
        positions, refused = readable.positions.take(positions), readable.positions.take(refused)
    refused = pa.concat_arrays([refused, torn])
    reasons = pa.concat_arrays(
        [verdicts.refused_reasons, pa.array([DeadLetterReason.NOT_UTF8.value] * len(torn), pa.string())]
    )
    receipts = list(decoder.receipts.values())
    for number in producer_of_frame.take(frames.take(refused)).to_pylist():
        receipts[number].dead_lettered += 1
    producers = producer_of_frame.take(frames.take(positions))
    return Batch(
        through=through.id,
        events=verdicts.events.append_column(PRODUCER, producers).cast(BATCH_SCHEMA),
        positions=positions,
        lines=raw,
        origins=origins,
        dead_letters=pa.concat_tables(
            [
                dead_letters(origins.take(refused), reasons, raw.take(refused)),
                pa.Table.from_pylist(decoder.unreadable, schema=DEAD_LETTER_SCHEMA),
            ]
        ),
        receipts=receipts,
        arrived=decoder.arrived,
    )


def _origins(decoder: _Decoder) -> tuple[pa.Array, pa.Table]:
    """Return the frame of each line, and where each line came from: see `Batch.origins`."""
    opened = decoder.opened
    counts = [each.lines for each in opened]
    frame_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)
    first_line = np.concatenate([[0], np.cumsum(counts)[:-1]]) if counts else np.zeros(0)
    frames = pa.array(frame_of, pa.int32())
    of_frame = {
        "received_at": pa.array([_instant(each.entry) for each in opened], pa.timestamp("us", tz="UTC")),
        "entry_id": pa.array([each.entry.id for each in opened], pa.string()),
        "producer_id": pa.array(list(decoder.receipts), pa.string()).take(
            pa.array([each.receipt_number for each in opened], pa.int32())
        ),
    }
    # Dictionaries: a frame's values are held once and not per line.
    columns = {
        name: pa.DictionaryArray.from_arrays(frames, values) if len(values) else values
        for name, values in of_frame.items()
    }
    columns["shard"] = pa.array(np.full(len(frames), decoder.shard), pa.int32())
    columns["line_number"] = pa.array(np.arange(len(frames)) - first_line[frame_of], pa.int32())
    return frames, pa.table(columns).select(ORIGIN)


def _without_blank_lines(body: bytes) -> tuple[bytes, Ends]:
    """End the last line, drop those of white space alone; return the body and where its lines end."""
    if body and not body.endswith(b"\n"):
        body += b"\n"
    octets = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(octets == _NEWLINE) + 1
    if len(ends) and (_IS_WHITE[octets[0]] or _IS_WHITE[octets[ends[:-1]]].any()):
        body = b"".join(line + b"\n" for line in body.split(b"\n") if line.strip(_WHITE_SPACE))
        ends = np.flatnonzero(np.frombuffer(body, np.uint8) == _NEWLINE) + 1
    return body, ends


def _split(bodies: Sequence[bytes], ends: Sequence[Ends]) -> pa.Array:
    """Return the lines (each with its newline) as a binary array over the same bytes."""
    starts = np.cumsum([0, *(len(body) for body in bodies)])
    offsets = np.concatenate(
        [np.zeros(1, np.int64), *(each + start for each, start in zip(ends, starts[:-1], strict=True))]
    )
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(bodies))]
    return pa.Array.from_buffers(pa.binary(), len(offsets) - 1, buffers)


@dataclass(frozen=True, slots=True)
class _Readable:
    """The lines that are UTF-8.

    Attributes:
        positions: int32, which of all lines they are.
        text: string, one per line of all; what is not UTF-8 is null.
    """

    positions: pa.Array
    text: pa.Array


def _utf8(lines: pa.Array) -> tuple[_Readable, pa.Array]:
    """Return the lines that are UTF-8, and the positions of the others."""
    every = pa.array(np.arange(len(lines), dtype=np.int32))
    try:
        return _Readable(every, lines.cast(pa.string())), every.slice(0, 0)
    except pa.ArrowInvalid:
        valid = pa.array([_is_utf8(line) for line in lines.to_pylist()], pa.bool_())
    text = pa.compute.if_else(valid, lines, None).cast(pa.string())
    return _Readable(every.filter(valid), text), every.filter(pa.compute.invert(valid))


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _instant(entry: Entry) -> datetime:
    # An explicit XADD id may lie beyond any calendar.
    return datetime.fromtimestamp(min(entry.milliseconds, _LATEST_MS) / 1000, UTC)
