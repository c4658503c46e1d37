"""Outboxes: events that applications wrote in their own transactions, on their way into the tables.

Rows are taken by deleting them in a transaction that stays open until the sink has committed.
Where the outbox lies in the sink's own database the two are one transaction. Elsewhere the
deletion commits right after the sink, and a crash in between brings the rows once more: their
events are counted as duplicates, their dead letters are kept once. Rows that are locked by another
drain are left to it, and no row is passed over for being committed late: there is no offset.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import adbc_driver_manager

from activity_pipeline.errors import StoreError
from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.connection import BulkConnection, Statements, connect_bulk
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.hot.writer import KnownInArchive, store_batch

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One row, taken.

    Attributes:
        id: Its key.
        milliseconds: When it was written, Unix milliseconds.
        line: The event, or whatever someone put there.
    """

    id: int
    milliseconds: int
    line: bytes


@dataclass(frozen=True, slots=True)
class OutboxClaim:
    """Rows that are deleted once they are stored.

    Attributes:
        rows: In the order of writing; empty where none waits.
    """

    rows: Sequence[OutboxRow]
    _outbox: BulkConnection
    _sink: BulkConnection

    def store(self, batch: Batch, known_in_archive: KnownInArchive) -> Stored | None:
        """Store the batch made of the rows and delete them; the claim is over afterwards.

        Days must exist (`days.ensure_days`).

        Returns:
            What became of the batch; None where another drain stored it meanwhile.
        """
        stored = store_batch(
            self._sink, batch, known_in_archive, settle=lambda _: None, claim_again=self._take_again
        )
        if stored is not None:
            self.delete()
        return stored

    def delete(self) -> None:
        """Delete the rows, which are stored."""
        self._outbox.commit()

    def _take_again(self) -> bool:
        if self._outbox is not self._sink:
            return True  # The rollback was the sink's alone.
        with self._outbox.cursor() as cursor:
            cursor.execute(_SQL["take_again"], parameters=(",".join(str(row.id) for row in self.rows),))
            return len(cursor.fetchall()) == len(self.rows)


@contextlib.contextmanager
def open_outbox(dsn: str) -> Iterator[BulkConnection]:
    """Connect to the database of an application.

    Raises:
        StoreError: It does not answer, or has no outbox.
    """
    with connect_bulk(dsn) as connection:
        try:
            with connection.cursor() as cursor:
                cursor.execute(_SQL["exists"])
                found = cursor.fetchone()
            connection.rollback()
        except adbc_driver_manager.Error as error:
            raise StoreError(f"Postgres: {error}") from error
        if not (found and found[0]):
            raise StoreError("there is no outbox: run activity-pipeline migrate --outbox")
        yield connection


@contextlib.contextmanager
def claim_rows(
    outbox: BulkConnection, sink: BulkConnection, *, max_rows: int, max_bytes: int
) -> Iterator[OutboxClaim]:
    """Take rows; they stay where they are unless the claim is stored.

    Args:
        outbox: Connection to the database with the outbox.
        sink: Connection to the events; the same one where the outbox lies beside them.
        max_rows: Most rows.
        max_bytes: No further row once those before it hold so many bytes.

    Raises:
        adbc_driver_manager.Error: Postgres refused the transaction or went away.
    """
    try:
        with outbox.cursor() as cursor:
            cursor.execute(_SQL["take"], parameters=(max_rows, max_bytes))
            columns = cursor.fetch_arrow_table().sort_by("id").columns
        # Column by column: the driver's rows cost three times as much.
        rows = [OutboxRow(*row) for row in zip(*(column.to_pylist() for column in columns), strict=True)]
        yield OutboxClaim(rows, outbox, sink)
    finally:
        for connection in (outbox, sink):
            # A connection that is gone has nothing to roll back, and must not hide why.
            with contextlib.suppress(adbc_driver_manager.Error):
                connection.rollback()


def refused_before(sink: Statements, shard: int, entry_ids: Sequence[str]) -> set[str]:
    """Return those of the entries that a dead letter is kept of."""
    rows = sink.execute(_SQL["refused_before"], {"shard": shard, "entry_ids": list(entry_ids)})
    return {entry_id for (entry_id,) in rows}


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits in an outbox.

    Attributes:
        rows: How many, counted up to the limit that was asked for.
        oldest_s: For how long the oldest of them has, in seconds.
    """

    rows: int
    oldest_s: float


def lines_waiting(connection: Statements) -> Iterator[bytes]:
    """Yield the lines that wait in an outbox, streamed, without locking anything.

    None where there is no outbox.

    Args:
        connection: In a transaction of its own until the last one is taken.
    """
    row = connection.execute(_SQL["exists"]).fetchone()
    if not (row and row[0]):
        return
    with connection.transaction(), connection.cursor("outbox_lines") as cursor:
        for (line,) in cursor.execute(_SQL["lines"]):
            yield line.encode()


def oldest_waiting_s(connection: Statements) -> float:
    """Return for how long the oldest row has waited, in seconds; 0 where none does, or there is no outbox."""
    row = connection.execute(_SQL["exists"]).fetchone()
    return read_waiting(connection, limit=1).oldest_s if row and row[0] else 0.0


def read_waiting(connection: Statements, *, limit: int) -> Waiting:
    """Look at an outbox without locking anything.

    Raises:
        psycopg.Error: There is none, or Postgres went away.
    """
    row = connection.execute(_SQL["waiting"], {"limit": limit}).fetchone()
    if row is None:
        raise AssertionError("an aggregate without group by returns one row")
    return Waiting(*row)
