"""A mapping held against real rows: what would become events, and what would not, and why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pyarrow as pa

from activity_pipeline.events.judge import judge
from activity_pipeline.events.model import FIELDS, Rules
from activity_pipeline.hot.connection import Statements
from activity_pipeline.legacy.mapping.model import Mapping
from activity_pipeline.legacy.mapping.rows import Mapper
from activity_pipeline.legacy.mapping.source import read_columns, sample

SHOWN = 3


@dataclass(frozen=True, slots=True)
class Checked:
    """What became of some rows.

    Attributes:
        rows: How many were looked at.
        events: How many of them make events.
        refused: How many do not, by reason.
        samples: Some events, as their lines.
        refused_samples: Some lines that make none, each with the reason.
        metadata: Columns that are carried in the metadata.
        ignored: Columns that are left behind.
    """

    rows: int
    events: int
    refused: dict[str, int]
    samples: Sequence[str]
    refused_samples: Sequence[tuple[str, str]]
    metadata: Sequence[str]
    ignored: Sequence[str]


def check_mapping(connection: Statements, mapping: Mapping, *, rows: int, rules: Rules) -> Checked:
    """Make events of the newest rows, and of some of any age; nothing is stored.

    Args:
        connection: To the application's database, in a transaction (`reading`).
        mapping: What to check.
        rows: How many of the newest, and how many of any age at the most.
        rules: What an event may be.

    Raises:
        LegacyError: The mapping and the table's columns do not fit.
    """
    mapping.check()
    mapping.check(list(read_columns(connection, mapping.table)))
    mapper = Mapper(mapping)
    lines = list(dict.fromkeys(mapper.line(row) for row in sample(connection, mapping, rows)))
    reasons = _reasons(lines, rules)
    refused = [(line, reason) for line, reason in zip(lines, reasons, strict=True) if reason]
    taken = [line for line, reason in zip(lines, reasons, strict=True) if not reason]
    return Checked(
        rows=len(lines),
        events=len(taken),
        refused=dict(Counter(reason for _, reason in refused if reason)),
        samples=[line.decode() for line in taken[:SHOWN]],
        refused_samples=[(reason, line.decode()) for line, reason in refused[:SHOWN] if reason],
        metadata=[name for name in mapping.metadata if name not in FIELDS],
        ignored=list(mapping.ignored),
    )


def _reasons(lines: Sequence[bytes], rules: Rules) -> list[str | None]:
    """Return why each line makes no event; None for one that does."""
    now = datetime.now(UTC)
    table = pa.table(
        {
            "line": pa.array([line.decode() for line in lines], pa.string()),
            "received_at": pa.array([now] * len(lines), pa.timestamp("us", tz="UTC")),
            "entry_id": pa.array([""] * len(lines), pa.string()),
            "line_number": pa.array(range(len(lines)), pa.int32()),
        }
    )
    verdicts = judge(table, rules, shard=0, now=now)
    found: list[str | None] = [None] * len(lines)
    for place, reason in zip(
        verdicts.refused_positions.to_pylist(), verdicts.refused_reasons.to_pylist(), strict=True
    ):
        found[place] = reason
    return found
