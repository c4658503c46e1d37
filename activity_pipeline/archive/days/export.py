"""Days to Parquet: frozen, written, read back, compared, published; days/cycle.py has the crash table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.archive.chain.index import entries_of
from activity_pipeline.archive.chain.manifest import DataFile, DayEntry, describe_day, file_path
from activity_pipeline.archive.chain.publish import Chain, Published, open_chain
from activity_pipeline.archive.chain.signing import Signer
from activity_pipeline.archive.files.describe import describe_files
from activity_pipeline.archive.files.known import known_ids
from activity_pipeline.archive.files.parquet import write_days
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError, GateError
from activity_pipeline.events.content import EMPTY
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.hot import chain as hot_chain
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.hot.reader import frozen_rows

_ID_SCHEMA = pa.schema([EVENT_SCHEMA.field("id"), EVENT_SCHEMA.field("timestamp")])
DAYS_PER_STEP = 200
"""Days that go through the steps together: one query, one read-back, one lock for all of them."""


@dataclass(frozen=True, slots=True)
class ArchivedDay:
    """A published generation.

    Attributes:
        entry: What was published of the day.
        manifest: Path of the manifest.
        sha256: Hash of the manifest's bytes.
    """

    entry: DayEntry
    manifest: str
    sha256: str

    @property
    def day(self) -> date:
        """The day."""
        return self.entry.day

    @property
    def added_rows(self) -> int:
        """Rows that this generation added."""
        return self.entry.added().rows


def export_days(
    statements: Statements,
    bulk: BulkConnection,
    store: ArchiveStore,
    days: Sequence[date],
    signer: Signer | None = None,
) -> Iterator[ArchivedDay]:
    """Freeze, write, verify and publish days, in order; yields each as it is published.

    Days already exported are left as they are. One run at a time: the chain has one end.

    Raises:
        GateError: A day's Parquet differs from Postgres; that day was not published, all others were.
        ArchiveError: The store cannot be written, or another operation is under way.
    """
    refused: list[GateError] = []
    with open_chain(statements, store, signer) as chain, duckdb.connect(":memory:") as connection:
        export = _Export(statements, bulk, chain, connection)
        yield from export.finish_half_done()
        for start in range(0, len(days), DAYS_PER_STEP):
            chunk = hot.freeze(statements, sorted(days)[start : start + DAYS_PER_STEP])
            frozen = [day for day in chunk if day.state == "frozen"]
            try:
                yield from export.step(frozen)
            except GateError:
                # One by one, so that a day that does not pass keeps nobody else.
                for day in frozen:
                    try:
                        yield from export.step([day])
                    except GateError as error:
                        refused.append(error)
    if refused:
        raise first_of(refused)


def first_of(refused: Sequence[ArchiveError]) -> ArchiveError:
    """Return the first of the errors of several days, which says how many more there are."""
    first, *more = refused
    return type(first)(f"{first} (and {len(more)} more)", **vars(first)) if more else first


@dataclass
class _Export:
    """An export under way.

    Attributes:
        statements: Postgres, for statements.
        bulk: Postgres, for rows.
        chain: The chain, whose end it holds.
        connection: A DuckDB connection.
    """

    statements: Statements
    bulk: BulkConnection
    chain: Chain
    connection: duckdb.DuckDBPyConnection

    def finish_half_done(self) -> Iterator[ArchivedDay]:
        """Take what a crash published without telling Postgres as it is, once it has passed the gate."""
        if not self.chain.half_done:
            return
        entries = [each.manifest.days[0] for each in self.chain.half_done]
        days = {day.day: day for day in hot.list_days(self.statements, [entry.day for entry in entries])}
        for entry in entries:
            day = days.get(entry.day)
            if day is None or (day.state, day.generation + 1) != ("frozen", entry.generation):
                raise ArchiveError(
                    f"the archive holds generation {entry.generation} of {entry.day}, which this database "
                    "has not exported: is one of the two a restored backup?",
                    day=entry.day,
                )
        added = {entry.day: entry.added() for entry in entries}
        hot.check_gate(hot.content_of(self.statements, list(added)), added)
        for published in self.chain.half_done:
            self.chain.advance(published)
        yield from self._mark(self.chain.half_done)

    def step(self, frozen: list[hot.Day]) -> Iterator[ArchivedDay]:
        """Take frozen days through the steps."""
        if not frozen:
            return
        store = self.chain.store
        older = self._older_files(frozen)
        if older:
            self._drop_known(older)
        generations = {day.day: day.generation + 1 for day in frozen}
        paths = {day: file_path(day, generation) for day, generation in generations.items()}
        with frozen_rows(self.bulk, list(paths)) as rows:
            written = [paths[day] for day in write_days(store, rows, paths)]
        files = describe_files(store, self.connection, written)
        shares = {day: files.get(path, {}) for day, path in paths.items()}
        hot.check_gate(
            hot.content_of(self.statements, list(generations)),
            # All that a file holds, whatever day it is of.
            {
                day: sum((share.held.content for share in held.values()), EMPTY)
                for day, held in shares.items()
            },
        )
        added = {day: [share.of(generations[day]) for share in held.values()] for day, held in shares.items()}
        store.sync(written)
        published = [
            self.chain.publish(
                "export",
                [describe_day(day, generation, [*older.get(day, []), *added[day]])],
            )
            for day, generation in generations.items()
        ]
        store.sync([each.manifest.name for each in published])
        yield from self._mark(published)

    def _mark(self, published: Sequence[Published]) -> list[ArchivedDay]:
        hot_chain.note_exported(self.statements, [each.record for each in published])
        return [ArchivedDay(each.manifest.days[0], each.manifest.name, each.sha256) for each in published]

    def _older_files(self, frozen: list[hot.Day]) -> dict[date, list[DataFile]]:
        manifests = {day.day: day.manifest for day in frozen if day.manifest}
        return {day: entry.files for day, entry in entries_of(self.chain.store, manifests).items()}

    def _drop_known(self, older: Mapping[date, Sequence[DataFile]]) -> None:
        """Remove late rows that an older generation holds: ingest could not ask the archive at the time."""
        with frozen_rows(self.bulk, list(older)) as rows:
            late = pa.Table.from_batches([batch.select(["id", "timestamp"]) for batch in rows], _ID_SCHEMA)
        paths = list({file.path for files in older.values() for file in files})
        known = late.filter(known_ids(self.chain.store, self.connection, paths, late))
        days = pc.cast(known["timestamp"], pa.date32())
        for day in pc.unique(days).to_pylist():
            of_day = known.filter(pc.equal(days, pa.scalar(day, pa.date32())))
            hot.drop_known(self.statements, day, of_day["timestamp"].to_pylist(), of_day["id"].to_pylist())
