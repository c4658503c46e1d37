"""What one ingest transaction stores: events, dead letters, and what each producer sent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.events.model import DeadLetterReason

PRODUCER = pa.field("producer", pa.int32(), nullable=False)
BATCH_SCHEMA = pa.schema([*EVENT_SCHEMA, PRODUCER])
"""Events with the number of their producer in Batch.receipts."""

DEAD_LETTER_SCHEMA = pa.schema(
    [
        pa.field("received_at", pa.timestamp("us", tz="UTC"), nullable=False),
        pa.field("shard", pa.int32(), nullable=False),
        pa.field("entry_id", pa.string(), nullable=False),
        pa.field("line_number", pa.int32(), nullable=False),
        pa.field("producer_id", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("line", pa.binary(), nullable=False),
        pa.field("event_count", pa.int32(), nullable=False),
        pa.field("other_fields", pa.binary()),
    ]
)

ORIGIN = DEAD_LETTER_SCHEMA.names[:5]
"""The columns that say where a line came from."""

OUTBOX = "outbox"
"""The producer that events out of an outbox are counted under."""

UNSEQUENCED = frozenset({"", OUTBOX})
"""Producers that number nothing, as activity_is_sequenced has them: what they issued is what arrived."""

_END = 2**31 - 1
"""Past the end of any line."""


@dataclass(frozen=True, slots=True)
class Drops:
    """Events that a producer declared as dropped.

    Attributes:
        first: The first sequence number that they used up.
        end: The one after the last.
        reasons: How many by reason.
    """

    first: int
    end: int
    reasons: Mapping[str, int]


@dataclass(slots=True)
class Receipt:
    """What one producer sent in a batch.

    Attributes:
        producer_id: Empty for entries that name none.
        issued: Highest sequence number seen plus one; for those of UNSEQUENCED, the events received.
        ranges: Sequence numbers received, as (first, end) with the end excluded.
        received: Events received.
        dead_lettered: Events of this batch that were refused.
        drops: What it declared as dropped, each declaration once.
    """

    producer_id: str
    issued: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)
    received: int = 0
    dead_lettered: int = 0
    drops: list[Drops] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Batch:
    """Entries of one shard, decoded and judged.

    Attributes:
        through: Id of the last entry in it.
        events: BATCH_SCHEMA, in the order of the stream.
        positions: int32, the place of each event among the lines.
        lines: binary, all lines with their newlines, in case Postgres refuses metadata after all.
        origins: ORIGIN columns of DEAD_LETTER_SCHEMA, texts as dictionaries, a row per line, for the
            same case.
        dead_letters: DEAD_LETTER_SCHEMA, the events that were refused.
        receipts: One per producer, numbered as in `events`.
        arrived: Events by the UTC day on which the queue took them.
    """

    through: str
    events: pa.Table
    positions: pa.Array
    lines: pa.Array
    origins: pa.Table
    dead_letters: pa.Table
    receipts: list[Receipt]
    arrived: Counter[date] = field(default_factory=Counter)

    @property
    def days(self) -> list[date]:
        """The UTC days of its events."""
        days: list[date] = pc.unique(pc.cast(self.events["timestamp"], pa.date32())).to_pylist()
        return days

    @property
    def received(self) -> int:
        """Events in the batch, refused ones included."""
        return sum(receipt.received for receipt in self.receipts)

    def refuse(self, events: pa.Array, reason: DeadLetterReason) -> pa.Table:
        """Make dead letters of some of the events, given by their numbers."""
        lines = self.positions.take(events)
        reasons = pa.array([reason.value] * len(lines), pa.string())
        return dead_letters(self.origins.take(lines), reasons, self.lines.take(lines))


@dataclass(frozen=True, slots=True)
class Stored:
    """What became of a batch.

    Attributes:
        inserted: New events by day.
        duplicate: Events that were stored before, by day.
        dead_lettered: Events refused.
    """

    inserted: Counter[date] = field(default_factory=Counter)
    duplicate: Counter[date] = field(default_factory=Counter)
    dead_lettered: int = 0


def dead_letters(origins: pa.Table, reasons: pa.Array, lines: pa.Array) -> pa.Table:
    """Make dead letters of lines.

    Args:
        origins: ORIGIN columns, texts as dictionaries or plain.
        reasons: A DeadLetterReason for each line.
        lines: The lines, each with the newline that ended it: what is kept is the line itself.
    """
    kept = pc.binary_replace_slice(lines, start=-1, stop=_END, replacement=b"")
    ones = pa.array([1] * len(lines), pa.int32())
    nothing = pa.nulls(len(lines), pa.binary())
    columns = [*origins.columns, reasons, kept, ones, nothing]
    return pa.Table.from_arrays(columns, DEAD_LETTER_SCHEMA.names).cast(DEAD_LETTER_SCHEMA)
