"""Dead letters to a batch: their lines, as they came or mended, judged as the drain judges."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import TypeAlias

import pyarrow as pa

from activity_pipeline.errors import FrameError
from activity_pipeline.events import frame as wire
from activity_pipeline.events.judge import EVENT_SCHEMA, judge
from activity_pipeline.events.model import DeadLetterReason, Rules
from activity_pipeline.hot.batch import (
    BATCH_SCHEMA,
    DEAD_LETTER_SCHEMA,
    PRODUCER,
    UNSEQUENCED,
    Batch,
    Receipt,
    dead_letters,
)
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.dead_letters import DeadLetter, unstorable

Mended: TypeAlias = list[bytes] | None
"""Lines in the place of a dead letter's own, without newlines; None for those."""

_ORIGIN_SCHEMA = pa.schema(list(DEAD_LETTER_SCHEMA)[:5])
_LINE_SCHEMA = pa.schema(
    [
        *(DEAD_LETTER_SCHEMA.field(name) for name in ("received_at", "entry_id", "line_number")),
        pa.field("line", pa.string(), nullable=False),
    ]
)


@dataclass(slots=True)
class Judged:
    """What becomes of claimed dead letters.

    Attributes:
        batch: The events of `closed`, with receipts that say by how much the producers' figures
            change; None where nothing is to be stored.
        closed: Letters whose lines are all in the batch, as events or as letters of their own.
        refused: Why each of the others stays open, by number.
        refused_as_stored: The reasons among them that are about the bytes as they are stored.
    """

    batch: Batch | None = None
    closed: list[DeadLetter] = field(default_factory=list)
    refused: dict[int, str] = field(default_factory=dict)
    refused_as_stored: dict[int, str] = field(default_factory=dict)

    def keep(self, letter: DeadLetter, why: str, *, as_stored: bool) -> None:
        """Leave a letter open."""
        self.refused[letter.id] = why
        if as_stored:
            self.refused_as_stored[letter.id] = why


@dataclass(slots=True)
class _Case:
    """A dead letter and the lines that stand for it.

    Attributes:
        letter: The letter.
        lines: Without newlines.
        sequence: Number of the first of them, where the letter is an entry of a producer's.
        is_mended: Whether the lines are others than those that are stored.
        reasons: Why lines are refused, by their place.
    """

    letter: DeadLetter
    lines: list[bytes]
    sequence: int = 0
    is_mended: bool = False
    reasons: dict[int, str] = field(default_factory=dict)

    @property
    def refused(self) -> list[_Line]:
        return [_Line(self, number) for number in self.reasons]


@dataclass(frozen=True, slots=True)
class _Line:
    """One line of a case."""

    case: _Case
    number: int

    @property
    def text(self) -> bytes:
        return self.case.lines[self.number]

    @property
    def reason(self) -> str | None:
        return self.case.reasons.get(self.number)

    @property
    def origin(self) -> dict[str, object]:
        letter = self.case.letter
        return {
            "received_at": letter.received_at,
            "shard": letter.shard,
            "entry_id": letter.entry_id,
            "line_number": self.number if letter.is_entry else letter.line_number,
            "producer_id": letter.producer_id,
        }

    def refuse(self, reason: str) -> None:
        self.case.reasons[self.number] = str(reason)


def rejudge(
    letters: Sequence[tuple[DeadLetter, Mended]],
    rules: Rules,
    statements: Statements,
    *,
    now: datetime | None = None,
) -> Judged:
    """Judge dead letters by today's rules.

    Args:
        letters: Each with the lines to take in the place of its own.
        rules: What an event may be.
        statements: Asked which metadata Postgres can keep.
        now: The instant that timestamps are held against; default: now.
    """
    judged = Judged()
    cases: list[_Case] = []
    for letter, mended in letters:
        try:
            cases.append(_case(letter, mended))
        except _StaysOpenError as stays:
            judged.keep(letter, stays.why, as_stored=stays.as_stored)
    every = [_Line(case, number) for case in cases for number in range(len(case.lines))]
    events, positions = _judge(every, rules, statements, now or datetime.now(UTC))
    stored: list[_Case] = []
    for case in cases:
        if not case.letter.is_entry and (reason := case.reasons.get(0)):
            judged.keep(case.letter, reason, as_stored=not case.is_mended)
        else:
            stored.append(case)
    if stored:
        judged.closed = [case.letter for case in stored]
        judged.batch = _batch(stored, every, events, positions)
    return judged


class _StaysOpenError(Exception):
    """A letter cannot be replayed this way."""

    def __init__(self, why: str, *, as_stored: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.as_stored = as_stored


def _case(letter: DeadLetter, mended: list[bytes] | None) -> _Case:
    if not letter.is_entry:
        lines = [letter.line] if mended is None else mended
        if len(lines) != 1:
            raise _StaysOpenError(f"it is one line, {len(lines)} were given")
        return _Case(letter, lines, is_mended=mended is not None)
    if letter.other_fields is None:
        if mended is None or len(mended) != letter.event_count:
            raise _StaysOpenError(f"only its bytes were kept: give its lines, {letter.event_count} of them")
        return _Case(letter, mended, is_mended=True)
    try:
        frame = wire.decode({b"e": letter.line, **wire.unpack_other_fields(letter.other_fields)})
        lines, sequence = wire.lines_of(frame.body), frame.sequence
    except FrameError as error:
        if mended is None:
            raise _StaysOpenError(str(error.reason), as_stored=True) from None
        lines, sequence = [], error.sequence
    lines = lines if mended is None else mended
    if len(lines) < letter.event_count:
        raise _StaysOpenError(f"it stands for {letter.event_count} events, these are {len(lines)} lines")
    return _Case(letter, lines, sequence, is_mended=mended is not None)


def _judge(
    every: list[_Line], rules: Rules, statements: Statements, now: datetime
) -> tuple[pa.Table, list[int]]:
    """Set the reasons of all cases; return the good events and the place of each in `every`."""
    by_shard: dict[int, list[int]] = defaultdict(list)
    for position, line in enumerate(every):
        if _is_utf8(line.text):
            by_shard[line.case.letter.shard].append(position)
        else:
            line.refuse(DeadLetterReason.NOT_UTF8)
    tables, places = [EVENT_SCHEMA.empty_table()], [pa.array([], pa.int32())]
    for shard, positions in by_shard.items():
        rows = [{**every[at].origin, "line": every[at].text.decode()} for at in positions]
        verdicts = judge(pa.Table.from_pylist(rows, schema=_LINE_SCHEMA), rules, shard=shard, now=now)
        here = pa.array(positions, pa.int32())
        for at, reason in zip(
            here.take(verdicts.refused_positions).to_pylist(),
            verdicts.refused_reasons.to_pylist(),
            strict=True,
        ):
            every[at].refuse(reason)
        tables.append(verdicts.events)
        places.append(here.take(verdicts.event_positions))
    events, kept = pa.concat_tables(tables), pa.concat_arrays(places)
    wrong = unstorable(statements, events["metadata"].cast(pa.string()).to_pylist())
    for number in wrong:
        every[kept[number].as_py()].refuse(DeadLetterReason.METADATA_REFUSED)
    good = pa.array([number not in wrong for number in range(len(events))], pa.bool_())
    return events.filter(good), kept.filter(good).to_pylist()


def _batch(stored: list[_Case], every: list[_Line], events: pa.Table, positions: list[int]) -> Batch:
    receipts: dict[str, Receipt] = {}
    arrived: Counter[date] = Counter()
    for case in stored:
        letter = case.letter
        receipt = receipts.setdefault(letter.producer_id, Receipt(letter.producer_id))
        more = len(case.lines) - letter.event_count
        receipt.received += more
        receipt.dead_lettered += len(case.refused) - letter.event_count
        arrived[letter.received_at.date()] += more
        if letter.producer_id in UNSEQUENCED:
            receipt.issued += more
        elif more:
            end = case.sequence + len(case.lines)
            receipt.ranges.append((end - more, end))
            receipt.issued = max(receipt.issued, end)
    numbers = {producer_id: number for number, producer_id in enumerate(receipts)}
    lines = [every[at] for at in positions]
    refused = [line for case in stored for line in case.refused]
    producers = pa.array([numbers[line.case.letter.producer_id] for line in lines], pa.int32())
    return Batch(
        through="",
        events=events.append_column(PRODUCER, producers).cast(BATCH_SCHEMA),
        positions=pa.array(range(len(lines)), pa.int32()),
        lines=_ended(lines),
        origins=_origins(lines),
        dead_letters=dead_letters(
            _origins(refused), pa.array([line.reason for line in refused], pa.string()), _ended(refused)
        ),
        receipts=list(receipts.values()),
        arrived=arrived,
    )


def _origins(lines: list[_Line]) -> pa.Table:
    return pa.Table.from_pylist([line.origin for line in lines], schema=_ORIGIN_SCHEMA)


def _ended(lines: list[_Line]) -> pa.Array:
    return pa.array([line.text + b"\n" for line in lines], pa.binary())


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True
