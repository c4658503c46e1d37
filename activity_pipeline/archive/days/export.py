"""Days to Parquet: frozen, written, read back, compared, published; days/cycle.py has the crash table."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.archive.chain.manifest import DataFile, DayEntry, describe_day, file_path
from activity_pipeline.archive.chain.publish import Chain, Published, open_chain
from activity_pipeline.archive.chain.signing import Signer
from activity_pipeline.archive.days.bad import BadDays
from activity_pipeline.archive.files.describe import describe_files
from activity_pipeline.archive.files.known import known_ids
from activity_pipeline.archive.files.parquet import write_days
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError
from activity_pipeline.events.content import EMPTY, Content
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.hot import chain as hot_chain
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.hot.content import Held
from activity_pipeline.hot.reader import frozen_rows
from activity_pipeline.operations import measured

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
    bad: BadDays | None = None,
) -> Iterator[ArchivedDay]:
    """Freeze, write, verify and publish days, in order; yields each as it is published.

    Days already exported are left as they are. One run at a time: the chain has one end. A day that
    fails stays frozen, and the others go on.

    Args:
        statements: Postgres, for statements.
        bulk: Postgres, for rows.
        store: The archive.
        days: Those to export, in any order.
        signer: Signs the manifests, where there is one.
        bad: Takes the days that fail, which are then not raised.

    Raises:
        GateError: A day's Parquet differs from Postgres; the day was not published.
        BadDaysError: Several days failed.
        ArchiveError: The store cannot be written, or another operation is under way.
    """
    failed = BadDays() if bad is None else bad
    with open_chain(statements, store, signer) as chain, duckdb.connect(":memory:") as connection:
        export = _Export(statements, bulk, chain, connection, failed)
        yield from export.finish_half_done()
        for start in range(0, len(days), DAYS_PER_STEP):
            yield from export.measured_step(sorted(days)[start : start + DAYS_PER_STEP])
    if bad is None:
        failed.check()


@dataclass
class _Export:
    """An export under way.

    Attributes:
        statements: Postgres, for statements.
        bulk: Postgres, for rows.
        chain: The chain, whose end it holds.
        connection: A DuckDB connection.
        bad: Takes the days that fail.
    """

    statements: Statements
    bulk: BulkConnection
    chain: Chain
    connection: duckdb.DuckDBPyConnection
    bad: BadDays

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
        held = hot.held_of(self.statements, list(added))
        hot.check_gate({day: each.content for day, each in held.items()}, added)
        for published in self.chain.half_done:
            self.chain.advance(published)
        yield from self._mark(self.chain.half_done, held)

    def measured_step(self, days: Sequence[date]) -> list[ArchivedDay]:
        """Freeze days, take them through the steps and record how long each took, on average."""
        bad_before = len(self.bad.errors)
        with measured("export", times=len(days)) as call:
            frozen = [day for day in hot.freeze(self.statements, days) if day.state == "frozen"]
            call.times = len(frozen)
            archived = self.step(frozen)
            call.failures = len(self.bad.errors) - bad_before
        return archived

    def step(self, frozen: list[hot.Day]) -> list[ArchivedDay]:
        """Take frozen days through the steps; a day that fails one of them goes no further."""
        store = self.chain.store
        older = self._older_files(frozen)
        self._drop_known(frozen, older)
        sound = [day for day in frozen if day.day not in self.bad.errors]
        if not sound:
            return []
        generations = {day.day: day.generation + 1 for day in sound}
        paths = {day: file_path(day, generation) for day, generation in generations.items()}
        # Frozen rows stay as they are, so Postgres hashes them while they are written and read back.
        with ThreadPoolExecutor(1, thread_name_prefix="hash") as pool:
            hashing = pool.submit(hot.held_of, self.statements, list(generations))
            with contextlib.closing(frozen_rows(self.bulk, sound)) as rows:
                written = [paths[day] for day in write_days(store, rows, paths)]
            described = describe_files(store, self.connection, written)
            held = hashing.result()
        added = {
            day: [described[path][day].of(generations[day])]
            for day, path in paths.items()
            if day in described.get(path, {})
        }
        self.bad.errors |= hot.gate_errors(
            {day: each.content for day, each in held.items()},
            {day: _sum(added.get(day, [])) for day in generations},
        )
        passed = [day for day in generations if day not in self.bad.errors]
        store.sync([paths[day] for day in passed if day in added])
        published = [
            self.chain.publish(
                "export",
                [describe_day(day, generations[day], [*older.get(day, []), *added.get(day, [])])],
            )
            for day in passed
        ]
        store.sync([each.manifest.name for each in published])
        return self._mark(published, held)

    def _mark(self, published: Sequence[Published], held: Mapping[date, Held]) -> list[ArchivedDay]:
        hot_chain.note_exported(self.statements, [each.record for each in published], held)
        return [ArchivedDay(each.manifest.days[0], each.manifest.name, each.sha256) for each in published]

    def _older_files(self, frozen: list[hot.Day]) -> dict[date, list[DataFile]]:
        manifests = {day.day: day.manifest for day in frozen if day.manifest}
        return {day: entry.files for day, entry in self.bad.entries_of(self.chain.store, manifests).items()}

    def _drop_known(self, frozen: Sequence[hot.Day], older: Mapping[date, Sequence[DataFile]]) -> None:
        """Remove late rows that an older generation holds: ingest could not ask the archive at the time."""
        days = [day for day in frozen if day.day in older]
        if not days:
            return
        try:
            self._drop_known_of(days, older)
        except ArchiveError:
            for day in days:
                with self.bad.keeping(day.day):
                    self._drop_known_of([day], older)

    def _drop_known_of(self, days: Sequence[hot.Day], older: Mapping[date, Sequence[DataFile]]) -> None:
        batches = (batch.select(["id", "timestamp"]) for batch in frozen_rows(self.bulk, days))
        late = pa.Table.from_batches(batches, _ID_SCHEMA)
        paths = list({file.path for day in days for file in older[day.day]})
        with self.chain.store.querying():
            known = late.filter(known_ids(self.chain.store, self.connection, paths, late))
        dates = pc.cast(known["timestamp"], pa.date32())
        for day in pc.unique(dates).to_pylist():
            of_day = known.filter(pc.equal(dates, pa.scalar(day, pa.date32())))
            hot.drop_known(self.statements, day, of_day["timestamp"].to_pylist(), of_day["id"].to_pylist())


def _sum(files: list[DataFile]) -> Content:
    return sum((file.content for file in files), EMPTY)
