"""A day's way from Postgres to Parquet, in steps that a crash cannot tear.

freeze    new events of the day go to its next generation
write     the frozen rows to a new file, fsynced
verify    the file is read back; its content hash must equal Postgres's (the gate, first time)
publish   the manifest, chained to the one before it; from here on the file is the archive
retire    the gate a second time, then the rows leave Postgres in one short lock

crash after   what it leaves                    what the next run does
freeze        a frozen day                      goes on with the write
write         a file that no manifest lists     writes it anew under the same name
publish       a manifest that Postgres does     takes it first and as it is, once its content
              not know: the end of the chain    has passed the gate
mark          an exported day                   retires it
retire        nothing: it is one transaction    -
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from activity_pipeline.archive.manifest import (
    DataFile,
    Manifest,
    Previous,
    compose,
    file_path,
    manifest_name,
    publish,
    read_manifest,
)
from activity_pipeline.archive.parquet import read_back, write_days
from activity_pipeline.archive.reader import known_ids
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError
from activity_pipeline.events.content import EMPTY, Content
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.hot.reader import frozen_rows

DAYS_PER_STEP = 200
"""Days that go through the steps together: one query, one read-back, one lock for all of them."""


@dataclass(frozen=True, slots=True)
class ArchivedDay:
    """A published generation.

    Attributes:
        manifest: What was published.
        sha256: Hash of the manifest's bytes.
        added_rows: Rows that this generation added.
    """

    manifest: Manifest
    sha256: str
    added_rows: int

    @property
    def day(self) -> date:
        """The day."""
        return self.manifest.day

    @property
    def place(self) -> hot.Head:
        """The end of the chain as of this manifest."""
        return hot.Head(self.manifest.sequence, self.manifest.name, self.sha256)


def archive_days(
    statements: Statements, bulk: BulkConnection, store: ArchiveStore, days: Sequence[date]
) -> list[ArchivedDay]:
    """Export days and retire them, and those that an earlier run left exported; returns the exported.

    See `export_days` and `retire_days`.
    """
    exported = list(export_days(statements, bulk, store, days))
    retire_days(statements, store, sorted({*days, *(each.day for each in exported)}))
    return exported


def export_days(
    statements: Statements, bulk: BulkConnection, store: ArchiveStore, days: Sequence[date]
) -> Iterator[ArchivedDay]:
    """Freeze, write, verify and publish days, in order; yields each as it is published.

    Days already exported are left as they are. One run at a time: the chain has one end.

    Raises:
        GateError: A day's Parquet differs from Postgres; nothing of its step was published.
        ArchiveError: The store cannot be written, or another export is under way.
    """
    with _one_at_a_time(statements), duckdb.connect(":memory:") as connection:
        half_done = _published_but_unknown(statements, store)
        yield from _export_step(statements, bulk, store, connection, half_done)
        for start in range(0, len(days), DAYS_PER_STEP):
            chunk = hot.freeze(statements, sorted(days)[start : start + DAYS_PER_STEP])
            frozen = [day for day in chunk if day.state == "frozen"]
            yield from _export_step(statements, bulk, store, connection, frozen)


def _export_step(
    statements: Statements,
    bulk: BulkConnection,
    store: ArchiveStore,
    connection: duckdb.DuckDBPyConnection,
    frozen: list[hot.Day],
) -> Iterator[ArchivedDay]:
    if not frozen:
        return
    older = {day.day: _files_before(store, day) for day in frozen}
    for day in frozen:
        if older[day.day]:
            _drop_known(statements, bulk, store, connection, day.day, older[day.day])
    found = {day.day: _found(store, day) for day in frozen}
    to_write = {day.day: _path(day) for day in frozen if found[day.day] is None}
    written: list[date] = []
    if to_write:
        with frozen_rows(bulk, list(to_write)) as rows:
            written = list(write_days(store, rows, to_write))
    new_files = _describe(store, connection, {day: to_write[day] for day in written}, frozen)
    for found_day, manifest in found.items():
        if manifest is not None:
            new_files[found_day] = [file for file in manifest.files if file.generation == manifest.generation]
    hot.check_gate(
        hot.content_of(statements, [day.day for day in frozen]),
        {day.day: _sum(new_files.get(day.day, [])) for day in frozen},
    )
    store.sync([to_write[day] for day in written])
    head = hot.last_manifest(statements)
    published = []
    for day in frozen:
        files = [*older[day.day], *new_files.get(day.day, [])]
        published.append(_publish(store, day, found[day.day], files, head))
        head = published[-1].place
    store.sync([each.manifest.name for each in published])
    for each in published:
        _mark_exported(statements, each)
        yield each


def _publish(
    store: ArchiveStore, day: hot.Day, found: Manifest | None, files: list[DataFile], head: hot.Head | None
) -> ArchivedDay:
    manifest = found
    if manifest is None:
        manifest = compose(
            day.day,
            day.generation + 1,
            files,
            sequence=head.sequence + 1 if head else 0,
            previous=Previous(name=head.name, sha256=head.sha256) if head else None,
        )
        sha256 = publish(store, manifest)
    else:
        sha256 = read_manifest(store, manifest.name)[1]
    return ArchivedDay(manifest, sha256, manifest.added().rows)


def _mark_exported(statements: Statements, archived: ArchivedDay) -> None:
    manifest = archived.manifest
    hot.mark_exported(
        statements,
        archived.place,
        day=manifest.day,
        generation=manifest.generation,
        row_count=manifest.row_count,
        size_bytes=manifest.size_bytes,
    )


def retire_days(statements: Statements, store: ArchiveStore, days: Sequence[date]) -> list[date]:
    """Drop exported days from Postgres, through the gate; return those that were dropped.

    Raises:
        GateError: A day differs from its Parquet; nothing of its step was dropped.
    """
    retired: list[date] = []
    exported = [day for day in hot.list_days(statements, days) if day.state == "exported"]
    for start in range(0, len(exported), DAYS_PER_STEP):
        step = exported[start : start + DAYS_PER_STEP]
        retirements = []
        for day in step:
            manifest, _ = read_manifest(store, manifest_name(day.day, day.generation))
            _check_files(store, manifest)
            retirements.append(
                hot.Retirement(
                    day.day, day.generation, manifest.added(), manifest.row_count, manifest.size_bytes
                )
            )
        retired += hot.retire(statements, retirements)
    return retired


def _check_files(store: ArchiveStore, manifest: Manifest) -> None:
    for file in manifest.files:
        if file.generation == manifest.generation and store.digest(file.path) != (
            file.size_bytes,
            file.sha256,
        ):
            raise ArchiveError(f"{file.path} is not the file that {manifest.name} lists", path=file.path)


def _describe(
    store: ArchiveStore,
    connection: duckdb.DuckDBPyConnection,
    paths: dict[date, str],
    frozen: list[hot.Day],
) -> dict[date, list[DataFile]]:
    """Read new files back and describe them."""
    generations = {day.day: day.generation + 1 for day in frozen}
    contents = read_back(store, list(paths.values()), connection)
    described: dict[date, list[DataFile]] = {}
    for day, path in paths.items():
        size_bytes, sha256 = store.digest(path)
        held = contents[path]
        described[day] = [
            DataFile(
                path=path,
                generation=generations[day],
                size_bytes=size_bytes,
                sha256=sha256,
                row_count=held.content.rows,
                first_at=held.first_at,
                last_at=held.last_at,
                content_hash=held.content.digest,
            )
        ]
    return described


def _drop_known(
    statements: Statements,
    bulk: BulkConnection,
    store: ArchiveStore,
    connection: duckdb.DuckDBPyConnection,
    day: date,
    older: list[DataFile],
) -> None:
    """Remove late rows that an older generation holds: ingest could not ask the archive at the time."""
    with frozen_rows(bulk, [day]) as rows:
        late = rows.read_all()
    known = late.filter(known_ids(store, connection, [file.path for file in older], late))
    if len(known):
        hot.drop_known(statements, day, known["timestamp"].to_pylist(), known["id"].to_pylist())


def _files_before(store: ArchiveStore, day: hot.Day) -> list[DataFile]:
    if day.generation == 0:
        return []
    return read_manifest(store, manifest_name(day.day, day.generation))[0].files


def _found(store: ArchiveStore, day: hot.Day) -> Manifest | None:
    """Return the manifest of the generation at work where a crash left one behind."""
    name = manifest_name(day.day, day.generation + 1)
    return read_manifest(store, name)[0] if store.exists(name) else None


def _published_but_unknown(statements: Statements, store: ArchiveStore) -> list[hot.Day]:
    """Return the days whose manifest a crash published without telling Postgres, as the chain has them."""
    found = [(day, _found(store, day)) for day in hot.list_days(statements) if day.state == "frozen"]
    known = [(manifest.sequence, day) for day, manifest in found if manifest is not None]
    return [day for _, day in sorted(known, key=lambda pair: pair[0])]


def _path(day: hot.Day) -> str:
    return file_path(day.day, day.generation + 1)


def _sum(files: list[DataFile]) -> Content:
    return sum((file.content for file in files), EMPTY)


@contextlib.contextmanager
def _one_at_a_time(statements: Statements) -> Iterator[None]:
    if not hot.try_lock_archive(statements):
        raise ArchiveError("another export is under way")
    try:
        yield
    finally:
        hot.unlock_archive(statements)
