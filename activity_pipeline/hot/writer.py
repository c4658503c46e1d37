"""Storing a batch: events, dead letters, ledger and offset in one transaction.

Rows go in by binary COPY. Where Postgres refuses a COPY (an event that is stored already, metadata
that jsonb cannot keep) the batch goes through a staging table instead, which sorts out row by row
what is new, what is a duplicate and what is a dead letter.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import adbc_driver_manager
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.events.model import FIELDS, DeadLetterReason
from activity_pipeline.hot.batch import DEAD_LETTER_SCHEMA, Batch, Receipt, Stored
from activity_pipeline.hot.connection import BulkConnection
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
_HOT_STATES = ("open", "sealed")
_DATA_REFUSED = ("22", "23", "54")
"""SQLSTATE classes that blame the rows: data exception, constraint violation, limit exceeded."""

KnownInArchive = Callable[[pa.Table, dict[str, int]], pa.Array]
"""(events, day -> newest generation) -> boolean per event: whether the archive holds it already."""


@dataclass(slots=True)
class ShardClaim:
    """A shard that this transaction has locked.

    Attributes:
        shard: Its number.
        offset: Id of the last stored entry.
    """

    shard: int
    offset: str
    _connection: BulkConnection
    _known_in_archive: KnownInArchive

    def store(self, batch: Batch) -> Stored:
        """Store a batch and commit; nothing of it is visible before, all of it after.

        Days must exist (`days.ensure_days`). The claim is over afterwards.
        """
        with self._connection.cursor() as cursor:
            stored = _Store(cursor, batch, self._known_in_archive).run()
            cursor.execute(_SQL["move_offset"], parameters=(self.shard, batch.through))
        self._connection.commit()
        return stored


@contextlib.contextmanager
def claim_shard(
    connection: BulkConnection, shard: int, known_in_archive: KnownInArchive
) -> Iterator[ShardClaim | None]:
    """Lock a shard for one batch; yields None while another drain has it. Rolls back unless stored."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(_SQL["ensure_shard"], parameters=(shard,))
            connection.commit()
            cursor.execute(_SQL["lock_shard"], parameters=(shard,))
            row = cursor.fetchone()
        yield ShardClaim(shard, row[0], connection, known_in_archive) if row else None
    finally:
        connection.rollback()


class _Store:
    """One batch on its way into the tables."""

    def __init__(self, cursor: Any, batch: Batch, known_in_archive: KnownInArchive) -> None:
        self.cursor = cursor
        self.batch = batch
        self.known_in_archive = known_in_archive
        days = pc.cast(batch.events["timestamp"], pa.date32()).combine_chunks()
        self.days: pa.Array = days
        self.outcome = pa.array(["inserted"] * len(days), pa.string())

    def run(self) -> Stored:
        self._execute("lock_routes")
        distinct = pc.unique(self.days).to_pylist()
        day_list = ",".join(day.isoformat() for day in distinct)
        routes = {day: (state, gen) for day, state, gen in self._fetch("routes", day_list)}
        hot = pa.array(
            [d.isoformat() for d in distinct if routes[d.isoformat()][0] in _HOT_STATES], pa.string()
        )
        late = pc.invert(pc.is_in(self.days, value_set=hot.cast(pa.date32())))
        archived = {day: gen for day, (_, gen) in routes.items() if gen > 0}
        beyond_late = any(state not in (*_HOT_STATES, "reopened") for state, _ in routes.values())
        dead_letters = self.batch.dead_letters
        if archived or beyond_late or not self._copy(late):
            dead_letters = pa.concat_tables([dead_letters, self._sort_out(late, archived)])
        if len(dead_letters):
            self.cursor.adbc_ingest("activity_dead_letters", dead_letters, mode="append")
        stored = self._count(dead_letters)
        self._note(stored, dead_letters)
        if day_list:
            self._execute("touch_days", day_list)
        return stored

    def _copy(self, late: pa.Array) -> bool:
        """Copy the rows straight into their tables; False (and nothing changed) where Postgres refuses."""
        self._execute("fast_point")
        events = self.batch.events.select(FIELDS)
        try:
            for table, rows in (
                ("activity_logs_current", events.filter(pc.invert(late))),
                ("activity_logs_late", events.filter(late)),
            ):
                if len(rows):
                    self.cursor.adbc_ingest(table, rows, mode="append")
        except adbc_driver_manager.Error as error:
            if (error.sqlstate or "")[:2] not in _DATA_REFUSED:
                raise
            self._execute("back_to_fast_point")
            return False
        return True

    def _sort_out(self, late: pa.Array, archived: dict[str, int]) -> pa.Table:
        """Place row by row what is new; sets `outcome`, returns further dead letters."""
        events = self.batch.events
        ordinals = pa.array(range(len(events)), pa.int32())
        staged = (
            events.set_column(
                events.column_names.index("metadata"), "metadata", events["metadata"].cast(pa.string())
            )
            .append_column("ordinal", ordinals)
            .append_column("late", late)
        )
        if archived:
            staged = staged.filter(pc.invert(self.known_in_archive(events, archived)))
        self._execute("create_staging")
        self.cursor.adbc_ingest("staged", staged, mode="append", temporary=True)
        refused = self._ordinals("refused")
        fresh = pa.concat_arrays([self._ordinals("place_current"), self._ordinals("place_late")])
        self.outcome = pc.case_when(
            pc.make_struct(pc.is_in(ordinals, value_set=fresh), pc.is_in(ordinals, value_set=refused)),
            "inserted",
            "dead",
            "duplicate",
        )
        return _refuse(self.batch, refused)

    def _count(self, dead_letters: pa.Table) -> Stored:
        counts: dict[str, Counter[Any]] = {"inserted": Counter(), "duplicate": Counter()}
        table = pa.table({"day": self.days, "outcome": self.outcome})
        for row in table.group_by(["day", "outcome"]).aggregate([([], "count_all")]).to_pylist():
            if row["outcome"] in counts:
                counts[row["outcome"]][row["day"]] += row["count_all"]
        return Stored(
            inserted=counts["inserted"],
            duplicate=counts["duplicate"],
            dead_lettered=pc.sum(dead_letters["event_count"]).as_py() or 0,
        )

    def _note(self, stored: Stored, dead_letters: pa.Table) -> None:
        """Enter the batch into the ledger, by day and by producer."""
        refused: Counter[Any] = Counter()
        for received_at, count in zip(
            dead_letters["received_at"].to_pylist(), dead_letters["event_count"].to_pylist(), strict=True
        ):
            refused[received_at.date()] += count
        days = [
            {
                "day": day.isoformat(),
                "received": stored.inserted[day] + stored.duplicate[day] + refused[day],
                "inserted": stored.inserted[day],
                "duplicate": stored.duplicate[day],
                "dead_lettered": refused[day],
            }
            for day in sorted({*stored.inserted, *stored.duplicate, *refused})
        ]
        self._execute("note_days", json.dumps(days))
        table = pa.table({"producer": self.batch.events["producer"], "outcome": self.outcome})
        fates: Counter[tuple[int, str]] = Counter()
        for row in table.group_by(["producer", "outcome"]).aggregate([([], "count_all")]).to_pylist():
            fates[row["producer"], row["outcome"]] = row["count_all"]
        producers = [
            _producer_row(
                receipt, fates[number, "inserted"], fates[number, "duplicate"], fates[number, "dead"]
            )
            for number, receipt in enumerate(self.batch.receipts)
        ]
        self._execute("note_producers", json.dumps(producers))

    def _ordinals(self, query: str) -> pa.Array:
        self._execute(query)
        column = self.cursor.fetch_arrow_table().column(0)
        return column.combine_chunks().cast(pa.int32())

    def _execute(self, query: str, *parameters: object) -> None:
        self.cursor.execute(_SQL[query], parameters=parameters or None)

    def _fetch(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        self._execute(query, *parameters)
        rows: list[tuple[Any, ...]] = self.cursor.fetchall()
        return rows


def _refuse(batch: Batch, ordinals: pa.Array) -> pa.Table:
    """Make dead letters of events whose metadata Postgres refused."""
    count = len(ordinals)
    origins = batch.origins.take(ordinals)
    return pa.Table.from_arrays(
        [
            *origins.columns,
            pa.array([DeadLetterReason.METADATA_REFUSED.value] * count, pa.string()),
            batch.lines.take(ordinals).cast(pa.binary()),
            pa.array([1] * count, pa.int32()),
        ],
        schema=DEAD_LETTER_SCHEMA,
    )


def _producer_row(receipt: Receipt, inserted: int, duplicate: int, refused: int) -> dict[str, object]:
    return {
        "producer_id": receipt.producer_id,
        "issued": receipt.issued,
        "sequences": _multirange(receipt.ranges),
        "received": receipt.received,
        "received_in_sequence": sum(end - first for first, end in receipt.ranges),
        "inserted": inserted,
        "duplicate": duplicate,
        "dead_lettered": receipt.dead_lettered + refused,
        "dropped_sequences": _multirange(receipt.dropped),
        "drop_reasons": receipt.drop_reasons,
    }


def _multirange(ranges: list[tuple[int, int]]) -> str:
    return "{" + ",".join(f"[{first},{end})" for first, end in ranges) + "}"
