"""A day of an old audit table: read, stored as events, archived, read back.

read, store   batches of rows, always in the same order, each one transaction with how far the day has got
finish        the audit table counts its rows itself; the database takes no other number
archive       the day's own way to Parquet (archive/days/cycle.py), its gate included
verify        the archive is read back: the events that name the table must be those that were made of rows

crash after   what it leaves                     what the next run does
store         some batches and how many rows     reads those rows again, stores the ones behind them
finish        a whole day in Postgres            archives it
archive       a day that nobody read back        reads it back

The producer is `imported:<table>:<day>` and numbers rows by their place, so that the ledger knows that none
is missing. Rows that make no event are dead letters, with their reason, and count as such.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import islice

import msgspec

from activity_pipeline.archive import ArchiveStore, archive_days
from activity_pipeline.archive.chain.signing import Signer
from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.errors import LegacyError
from activity_pipeline.events import frame as wire
from activity_pipeline.events.days import today
from activity_pipeline.events.frame import Frame
from activity_pipeline.events.model import Rules
from activity_pipeline.hot import days as hot_days
from activity_pipeline.hot import imports
from activity_pipeline.hot.batch import Batch
from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.hot.imports import Progress
from activity_pipeline.hot.writer import store_batch
from activity_pipeline.ingest.decode import decode_entries
from activity_pipeline.legacy.history.proof import archived_fingerprint, fingerprint_of
from activity_pipeline.legacy.mapping import Mapper, Mapping
from activity_pipeline.legacy.mapping.rows import LANE
from activity_pipeline.legacy.mapping.source import (
    count_rows,
    count_undated,
    read_columns,
    read_span,
    reading,
    rows_of,
)
from activity_pipeline.queue.read import Entry, EntryId

SHARD = -1_000_000
"""Where dead letters of an import come from: no stream, and no outbox."""

ROWS_PER_BATCH = 10_000
MOST_METADATA_BYTES = 64 * 1024 * 1024
"""Rows are as long as they are: what was once written is not refused for it."""


@dataclass(frozen=True, slots=True)
class HistoryDay:
    """What became of a day.

    Attributes:
        day: The UTC day.
        rows: Rows of the audit table.
        events: Events made of them.
        dead_lettered: Rows that make none; they are dead letters.
        archived_events: Events of the archive that name the table.
        fingerprint: Of the events, on either side.
        was_done: Whether an earlier run had done it all.
    """

    day: date
    rows: int
    events: int
    dead_lettered: int
    archived_events: int
    fingerprint: str
    was_done: bool = False


def importable_days(dsn: str, mapping: Mapping) -> tuple[date, date] | None:
    """Return the first and the last day with rows, today left out; None without any.

    Raises:
        LegacyError: The mapping and the table's columns do not fit.
        StoreError: The application's database does not answer.
    """
    with reading(dsn) as source:
        mapping.check(list(read_columns(source, mapping.table)))
        span = read_span(source, mapping)
    if span is None or span[0] >= today():
        return None
    return span[0], min(span[1], date.fromordinal(today().toordinal() - 1))


def undated_rows(dsn: str, mapping: Mapping) -> int:
    """Count the rows that no day has, so that none of them is imported: without a time, or at infinity.

    Raises:
        StoreError: The application's database does not answer.
    """
    with reading(dsn) as source:
        return count_undated(source, mapping)


def import_day(
    dsn: str,
    mapping: Mapping,
    day: date,
    statements: Statements,
    bulk: BulkConnection,
    store: ArchiveStore,
    *,
    rules: Rules,
    signer: Signer | None = None,
    tell: Callable[[int], None] = lambda _: None,
) -> HistoryDay:
    """Bring a day into the archive, or go on with it; a day that was done is left alone.

    Args:
        dsn: The application's database; it is only read.
        mapping: What becomes of its columns.
        day: A UTC day that is over.
        statements: To the events.
        bulk: The same.
        store: The archive.
        rules: What an event may be; rows may be longer.
        signer: Signs manifests.
        tell: Told how many rows are stored, now and then.

    Raises:
        LegacyError: The day is not over, is being imported by somebody else, or the archive has not what
            was read.
    """
    if day >= today():
        raise LegacyError(f"{day} is not over: rows still come in")
    if not imports.claim_import(statements, mapping.table, day):
        raise LegacyError(f"{day} of {mapping.table} is being imported by somebody else")
    progress = imports.read_progress(statements, mapping.table, day)
    was_done = progress.verified_at is not None
    if not progress.is_finished:
        rules = msgspec.structs.replace(rules, max_metadata_bytes=MOST_METADATA_BYTES)
        _Import(mapping, day, statements, bulk, KnownEvents(store), rules, tell).run(dsn, progress)
        progress = imports.read_progress(statements, mapping.table, day)
    if not was_done and progress.events:
        archive_days(statements, bulk, store, [day], signer)
    archived, found = archived_fingerprint(store, mapping.table, day)
    if (archived, found) != (progress.events, progress.fingerprint):
        raise LegacyError(
            f"{day}: {progress.events:,} events were made of {mapping.table}, the archive has {archived:,}"
            + (" with other content" if archived == progress.events else "")
        )
    imports.note_verified(statements, mapping.table, day)
    return HistoryDay(
        day,
        progress.rows,
        progress.events,
        progress.dead_lettered,
        archived,
        f"{progress.fingerprint:030x}",
        was_done,
    )


@dataclass
class _Import:
    mapping: Mapping
    day: date
    statements: Statements
    bulk: BulkConnection
    known: KnownEvents
    rules: Rules
    tell: Callable[[int], None]

    def run(self, dsn: str, progress: Progress) -> None:
        with reading(dsn) as source:
            self.mapping.check(list(read_columns(source, self.mapping.table)))
            counted = count_rows(source, self.mapping, self.day)
            lines = map(Mapper(self.mapping).line, rows_of(source, self.mapping, self.day))
            self._check_earlier(lines, progress)
            while some := list(islice(lines, ROWS_PER_BATCH)):
                progress = self._stored(some, progress)
                self.tell(progress.rows)
        if progress.rows != counted:
            raise AssertionError("one snapshot has two numbers of rows")
        imports.finish(self.statements, self.mapping.table, self.day, counted)

    def _check_earlier(self, lines: Iterator[bytes], progress: Progress) -> None:
        """Pass over the rows that an earlier run stored: they must be the same."""
        again = Progress()
        while again.rows < progress.rows:
            some = list(islice(lines, min(ROWS_PER_BATCH, progress.rows - again.rows)))
            if not some:
                break
            again = self._after(self._batch(some, again.rows), again, len(some))
        if again != progress:
            raise LegacyError(
                f"{self.day}: of the {progress.rows:,} rows of {self.mapping.table} that were stored before, "
                "some have come, gone or changed since"
            )

    def _batch(self, lines: Sequence[bytes], place: int) -> Batch:
        frame = Frame(
            body=b"".join(line + b"\n" for line in lines),
            count=len(lines),
            producer=f"imported:{self.mapping.table}:{self.day}",
            sequence=place,
        )
        entry = Entry(EntryId(f"{_milliseconds(self.day)}-{place}"), wire.encode(frame, level=0))
        return decode_entries([entry], self.rules, shard=SHARD, max_rows=sys.maxsize, max_bytes=sys.maxsize)

    def _stored(self, lines: Sequence[bytes], before: Progress) -> Progress:
        batch = self._batch(lines, before.rows)
        # A day that nobody knows yet gets a partition, however old it is: it is archived as one.
        hot_days.ensure_days(self.statements, batch.days, hot_since=min([self.day, *batch.days]))
        after = self._after(batch, before, len(lines))
        stored = store_batch(
            self.bulk,
            batch,
            self.known,
            settle=lambda cursor: imports.advance(cursor, self.mapping.table, self.day, after),
            claim_again=lambda: True,
        )
        if stored is None or stored.dead_lettered != len(batch.dead_letters):
            raise LegacyError(f"{self.day}: some rows of {self.mapping.table} hold what no jsonb can")
        return after

    def _after(self, batch: Batch, before: Progress, rows: int) -> Progress:
        count, found = fingerprint_of(batch.events)
        return Progress(
            rows=before.rows + rows,
            events=before.events + count,
            dead_lettered=before.dead_lettered + len(batch.dead_letters),
            fingerprint=(before.fingerprint + found) % LANE,
        )


def _milliseconds(day: date) -> int:
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp() * 1000)
