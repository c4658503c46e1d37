"""Storing a batch: events, dead letters, ledger and offset in one transaction.

Rows go in by binary COPY. Where Postgres refuses it because an event is stored already, the batch's
keys are looked up and the new rows copied. Where that is refused too, or metadata is that jsonb
cannot keep, the batch goes through a staging table, which sorts out row by row what is new, what is
a duplicate and what is a dead letter.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import Enum, auto
from typing import Any

import adbc_driver_manager
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.events.model import FIELDS, DeadLetterReason
from activity_pipeline.hot.accounting import note_days, note_producers
from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.connection import BulkConnection
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
_HOT_STATES = ("open", "sealed")
_STORED_ALREADY = "23505"
"""SQLSTATE of a unique violation."""

_DATA_REFUSED = ("22", "23", "54")
"""SQLSTATE classes that blame the rows: data exception, constraint violation, limit exceeded."""

ROWS_PER_WRITE = 250
"""Rows that the driver encodes before it sends them: while Postgres takes these in, it encodes the next."""

KnownInArchive = Callable[[pa.Table, dict[str, str]], pa.Array]
"""(events, day -> its newest manifest) -> boolean per event: whether the archive holds it already."""


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

    def store(self, batch: Batch) -> Stored | None:
        """Store a batch and commit; nothing of it is visible before, all of it after.

        Days must exist (`days.ensure_days`). The claim is over afterwards.

        Returns:
            What became of the batch; None where another drain stored it meanwhile.
        """
        return store_batch(
            self._connection,
            batch,
            self._known_in_archive,
            settle=lambda cursor: cursor.execute(_SQL["move_offset"], parameters=(self.shard, batch.through)),
            claim_again=lambda: _lock(self._connection, self.shard) == self.offset,
        )


def store_batch(
    connection: BulkConnection,
    batch: Batch,
    known_in_archive: KnownInArchive,
    *,
    settle: Callable[[Any], object],
    claim_again: Callable[[], bool],
) -> Stored | None:
    """Store a batch, which this transaction has for itself, and commit; see `ShardClaim.store`.

    `settle` notes in the same transaction that the batch is stored. `claim_again` is asked whether
    the batch is still ours where the transaction had to be rolled back.
    """
    way = _Way.COPY
    while True:
        try:
            with connection.cursor() as cursor:
                stored = _Store(cursor, batch, known_in_archive).run(way)
                settle(cursor)
            connection.commit()
        except _CopyRefusedError as refusal:
            # The driver cannot go back to a savepoint, so the claim goes with the transaction.
            connection.rollback()
            if not claim_again():
                return None
            stored_already = refusal.sqlstate == _STORED_ALREADY
            way = _Way.COPY_NEW if way is _Way.COPY and stored_already else _Way.SORT_OUT
        else:
            return stored


class _Way(Enum):
    """How rows go in, from the quickest to the one that takes all."""

    COPY = auto()
    COPY_NEW = auto()
    SORT_OUT = auto()


class _CopyRefusedError(Exception):
    """Postgres blames the rows of a COPY."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


@contextlib.contextmanager
def claim_shard(
    connection: BulkConnection, shard: int, known_in_archive: KnownInArchive
) -> Iterator[ShardClaim | None]:
    """Lock a shard for one batch; yields None while another drain has it. Rolls back unless stored.

    Raises:
        adbc_driver_manager.Error: Postgres refused the transaction or went away.
    """
    try:
        with connection.cursor() as cursor:
            cursor.execute(_SQL["ensure_shard"], parameters=(shard,))
            connection.commit()
        offset = _lock(connection, shard)
        yield None if offset is None else ShardClaim(shard, offset, connection, known_in_archive)
    finally:
        # A connection that is gone has nothing to roll back, and must not hide why.
        with contextlib.suppress(adbc_driver_manager.Error):
            connection.rollback()


def _lock(connection: BulkConnection, shard: int) -> str | None:
    """Lock a shard until the transaction ends; return its offset, None while another drain has it."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["lock_shard"], parameters=(shard,))
        row = cursor.fetchone()
    return row[0] if row else None


def sort_in(cursor: Any, batch: Batch, known_in_archive: KnownInArchive) -> Stored:
    """Store a batch row by row in the caller's transaction; moves no offset, commits nothing.

    Args:
        cursor: Of a BulkConnection.
        batch: Days must exist (`days.ensure_days`).
        known_in_archive: As for `claim_shard`.
    """
    return _Store(cursor, batch, known_in_archive).run(_Way.SORT_OUT)


class _Store:
    """One batch on its way into the tables."""

    def __init__(self, cursor: Any, batch: Batch, known_in_archive: KnownInArchive) -> None:
        self.cursor = cursor
        self.batch = batch
        self.known_in_archive = known_in_archive
        days = pc.cast(batch.events["timestamp"], pa.date32()).combine_chunks()
        self.days: pa.Array = days
        self.outcome = pa.repeat(pa.scalar("inserted"), len(days))

    def run(self, way: _Way) -> Stored:
        """Store; raises _CopyRefusedError where the rows want another way."""
        self._execute("lock_routes")
        distinct = pc.unique(self.days).to_pylist()
        routes = {day: (state, manifest) for day, state, manifest in self._fetch("routes", _listed(distinct))}
        hot = pa.array(
            [d.isoformat() for d in distinct if routes[d.isoformat()][0] in _HOT_STATES], pa.string()
        )
        late = pc.invert(pc.is_in(self.days, value_set=hot.cast(pa.date32())))
        archived = {day: manifest for day, (_, manifest) in routes.items() if manifest}
        beyond_late = any(state not in (*_HOT_STATES, "reopened") for state, _ in routes.values())
        refused = self.batch.dead_letters
        if way is _Way.SORT_OUT or archived or beyond_late:
            refused = pa.concat_tables([refused, self._sort_out(late, archived)])
        elif way is _Way.COPY_NEW:
            self._copy_new(late)
        else:
            self._copy(self.batch.events, late)
        if len(refused):
            self.cursor.adbc_ingest("activity_dead_letters", refused, mode="append")
        stored = self._count(refused)
        note_days(self.cursor, self.batch, stored, refused)
        note_producers(self.cursor, self.batch, self.outcome)
        self._execute("touch_days", _listed(day for day, count in stored.inserted.items() if count))
        return stored

    def _copy_new(self, late: pa.Array) -> None:
        """Copy the first of each event, unless it is stored already; sets `outcome`."""
        events = self.batch.events
        ordinals = pa.array(range(len(events)), pa.int32())
        ids = pa.chunked_array([chunk.storage for chunk in events["id"].chunks], pa.binary(16))
        keys = pa.table({"timestamp": events["timestamp"], "id": ids, "ordinal": ordinals})
        first = keys.group_by(["timestamp", "id"]).aggregate([("ordinal", "min")])["ordinal_min"]
        first = first.combine_chunks().sort()
        self._execute("create_keys")
        staged = events.select(["timestamp", "id"]).append_column("ordinal", ordinals)
        staged = staged.append_column("late", late).take(first)
        self.cursor.adbc_ingest("staged_keys", staged, mode="append", temporary=True)
        fresh = first.filter(pc.invert(pc.is_in(first, value_set=self._ordinals("stored_before"))))
        self._copy(events.take(fresh), late.take(fresh))
        self.outcome = pc.if_else(pc.is_in(ordinals, value_set=fresh), "inserted", "duplicate")

    def _copy(self, events: pa.Table, late: pa.Array) -> None:
        """Copy rows straight into their tables."""
        events = events.select(FIELDS)
        some_late = late.true_count > 0  # filtering copies every row
        try:
            for table, rows in (
                ("activity_logs_current", events.filter(pc.invert(late)) if some_late else events),
                ("activity_logs_late", events.filter(late) if some_late else events.slice(0, 0)),
            ):
                if len(rows):
                    self.cursor.adbc_ingest(table, rows.to_reader(ROWS_PER_WRITE), mode="append")
        except adbc_driver_manager.Error as error:
            if (error.sqlstate or "")[:2] in _DATA_REFUSED:
                raise _CopyRefusedError(error.sqlstate or "") from error
            raise

    def _sort_out(self, late: pa.Array, archived: dict[str, str]) -> pa.Table:
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
        return self.batch.refuse(refused, DeadLetterReason.METADATA_REFUSED)

    def _count(self, refused: pa.Table) -> Stored:
        counts: dict[str, Counter[Any]] = {"inserted": Counter(), "duplicate": Counter()}
        table = pa.table({"day": self.days, "outcome": self.outcome})
        for row in table.group_by(["day", "outcome"]).aggregate([([], "count_all")]).to_pylist():
            if row["outcome"] in counts:
                counts[row["outcome"]][row["day"]] += row["count_all"]
        return Stored(
            inserted=counts["inserted"],
            duplicate=counts["duplicate"],
            dead_lettered=pc.sum(refused["event_count"]).as_py() or 0,
        )

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


def _listed(days: Iterable[date]) -> str:
    return ",".join(day.isoformat() for day in days)
