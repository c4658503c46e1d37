"""The ledger's entries of one batch: by day and by producer, in the transaction that stores it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pyarrow as pa

from activity_pipeline.hot.batch import Batch, Drops, Stored
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


def note_days(cursor: Any, batch: Batch, stored: Stored, refused: pa.Table) -> None:
    """Enter a batch by day: of the event, but of arrival for what arrived and what was refused.

    Args:
        cursor: Of a BulkConnection.
        batch: The batch.
        stored: What became of it.
        refused: DEAD_LETTER_SCHEMA, its dead letters.
    """
    dead_lettered: Counter[Any] = Counter()
    for received_at, count in zip(
        refused["received_at"].to_pylist(), refused["event_count"].to_pylist(), strict=True
    ):
        dead_lettered[received_at.date()] += count
    days = [
        {
            "day": day.isoformat(),
            "received": stored.inserted[day] + stored.duplicate[day] + dead_lettered[day],
            "inserted": stored.inserted[day],
            "duplicate": stored.duplicate[day],
            "dead_lettered": dead_lettered[day],
            "arrived": batch.arrived[day],
        }
        for day in sorted({*stored.inserted, *stored.duplicate, *dead_lettered, *batch.arrived})
    ]
    cursor.execute(_SQL["note_days"], parameters=(json.dumps(days),))


def note_producers(cursor: Any, batch: Batch, outcome: pa.Array) -> None:
    """Enter a batch by producer.

    Args:
        cursor: Of a BulkConnection.
        batch: The batch.
        outcome: For each of its events `inserted`, `duplicate` or `dead`.
    """
    table = pa.table({"producer": batch.events["producer"], "outcome": outcome})
    fates: Counter[tuple[int, str]] = Counter()
    for row in table.group_by(["producer", "outcome"]).aggregate([([], "count_all")]).to_pylist():
        fates[row["producer"], row["outcome"]] = row["count_all"]
    drops = _first_declared(cursor, batch)
    producers = [
        {
            "producer_id": receipt.producer_id,
            "issued": receipt.issued,
            "sequences": _multirange(receipt.ranges),
            "received": receipt.received,
            "received_in_sequence": sum(end - first for first, end in receipt.ranges),
            "inserted": fates[number, "inserted"],
            "duplicate": fates[number, "duplicate"],
            "dead_lettered": receipt.dead_lettered + fates[number, "dead"],
            "dropped_sequences": _multirange([(drop.first, drop.end) for drop in drops[number]]),
            "drop_reasons": sum((Counter(drop.reasons) for drop in drops[number]), Counter()),
        }
        for number, receipt in enumerate(batch.receipts)
    ]
    cursor.execute(_SQL["note_producers"], parameters=(json.dumps(producers),))


def _first_declared(cursor: Any, batch: Batch) -> list[list[Drops]]:
    """Return each receipt's drops without those that an earlier delivery of their frame declared."""
    declared = [(n, drops) for n, receipt in enumerate(batch.receipts) for drops in receipt.drops]
    known: set[int] = set()
    if declared:
        rows = [
            {
                "number": number,
                "producer_id": batch.receipts[n].producer_id,
                "sequences": _multirange([(drops.first, drops.end)]),
            }
            for number, (n, drops) in enumerate(declared)
        ]
        cursor.execute(_SQL["declared_before"], parameters=(json.dumps(rows),))
        known = {number for (number,) in cursor.fetchall()}
    first: list[list[Drops]] = [[] for _ in batch.receipts]
    for number, (n, drops) in enumerate(declared):
        if number not in known:
            first[n].append(drops)
    return first


def _multirange(ranges: list[tuple[int, int]]) -> str:
    return "{" + ",".join(f"[{first},{end})" for first, end in ranges) + "}"
