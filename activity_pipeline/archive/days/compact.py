"""Compaction: the files of days in fewer ones, with the same rows.

A day gets a file more with each generation, and a thin day's file costs a reader as much to open as a
large one's. Days that are thin share a file, those of a year at most; the generations of a day that is
not become one. Rows stay the same, and a manifest whose content hashes are those of the generations
before proves it: one manifest for all days of a file, so that either all of them have moved or none.

crash after   what it leaves                        what the next operation does
write         a file that no manifest lists, or     overwrites it, or sweeps it away
              one that has not got its name yet
publish       a manifest that Postgres does not     notes it
              know: the end of the chain
note          files that no day lists any more      sweeps them away, GRACE_S after the compaction: whoever
                                                    reads by an older list of files has ended by then
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import duckdb

from activity_pipeline.archive.chain.index import files_of, newest_entries
from activity_pipeline.archive.chain.manifest import DayEntry, describe_day, file_path, pack_path
from activity_pipeline.archive.chain.publish import Chain, open_chain
from activity_pipeline.archive.chain.signing import Signer
from activity_pipeline.archive.chain.sweep import sweep
from activity_pipeline.archive.files.describe import describe_files
from activity_pipeline.archive.files.parquet import stored_rows, write_file
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError
from activity_pipeline.hot import chain as hot_chain
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import Statements

THIN_ROWS = 50_000
"""A day of fewer rows is thin: about a megabyte, which opening a file costs as much as reading."""

PACK_ROWS = 1_000_000
"""Rows that the thin days of one file have together, about."""

MIN_FILES = 8
"""Files that must become one to be worth it; a year of thin days is rewritten with every eighth day."""

GRACE_S = 3600.0


@dataclass(frozen=True, slots=True)
class CompactedFile:
    """A file that took the place of others.

    Attributes:
        path: Relative to the archive's root.
        days: Its days, in order.
        files: How many files it replaced.
        rows: Its rows.
        size_bytes: Its size.
        replaced_bytes: Size of the files that it replaced.
    """

    path: str
    days: tuple[date, ...]
    files: int
    rows: int
    size_bytes: int
    replaced_bytes: int


def plan(entries: Mapping[date, DayEntry], *, min_files: int = MIN_FILES) -> list[list[DayEntry]]:
    """Say which days should share a file that do not yet, in order.

    Days that share one already stay together: a file is replaced whole.
    """
    groups: list[list[DayEntry]] = []
    for unit in _units(entries):
        last = groups[-1] if groups else None
        if last and _is_thin(unit) and _is_thin(last) and _fits(last, unit):
            last += unit
        else:
            groups.append(list(unit))
    worth_it = (group for group in groups if len(files_of(group)) >= min_files)
    # A file that is shared may skip days that are in the next unit.
    return [sorted(group, key=lambda entry: entry.day) for group in worth_it]


def _units(entries: Mapping[date, DayEntry]) -> list[list[DayEntry]]:
    """Return the days that have a file in common, as one; ordered by the first day of each."""
    unit_of_file: dict[str, list[DayEntry]] = {}
    for _, entry in sorted(entries.items()):
        unit = [entry]
        shared = [unit_of_file[file.path] for file in entry.files if file.path in unit_of_file]
        for other in {id(each): each for each in shared}.values():
            unit += other
        unit_of_file.update({file.path: unit for each in unit for file in each.files})
    units = {id(unit): sorted(unit, key=lambda entry: entry.day) for unit in unit_of_file.values()}
    return sorted(units.values(), key=lambda unit: unit[0].day)


def _is_thin(unit: list[DayEntry]) -> bool:
    return all(entry.row_count < THIN_ROWS for entry in unit)


def _fits(group: list[DayEntry], unit: list[DayEntry]) -> bool:
    rows = sum(entry.row_count for entry in (*group, *unit))
    return rows <= PACK_ROWS and group[0].day.year == unit[0].day.year


def compact(
    statements: Statements, store: ArchiveStore, signer: Signer | None = None, *, min_files: int = MIN_FILES
) -> Iterator[CompactedFile]:
    """Compact the archive; yields each file as it is published.

    Days on their way to the archive are left for the next time.

    Raises:
        ArchiveError: An export is half done, another operation is under way, or a file does not hold
            what its manifest says.
    """
    with open_chain(statements, store, signer) as chain, duckdb.connect(":memory:") as connection:
        chain.must_be_whole()
        entries = newest_entries(store)
        sweep(statements, store, entries.values(), grace_s=GRACE_S)
        settled = {d.day for d in hot.list_days(statements) if d.state in {"archived", "reopened"}}
        for group in plan(entries, min_files=min_files):
            if settled.issuperset(entry.day for entry in group):
                yield _compact(statements, chain, connection, group)


def _compact(
    statements: Statements, chain: Chain, connection: duckdb.DuckDBPyConnection, group: list[DayEntry]
) -> CompactedFile:
    store, old = chain.store, files_of(group)
    first, last = group[0], group[-1]
    path = (
        file_path(first.day, first.generation + 1)
        if len(group) == 1
        else pack_path(first.day, last.day, chain.sequence)
    )
    with store.querying(), stored_rows(store, list(old), connection) as rows:
        write_file(store, path, rows, packed=len(group) > 1)
    shares = describe_files(store, connection, [path])[path]
    for entry in group:
        share = shares.get(entry.day)
        if (share.held.content if share else None) != (entry.content if entry.row_count else None):
            raise ArchiveError(f"the files of {entry.day} do not hold what its manifest says", day=entry.day)
    if others := shares.keys() - {entry.day for entry in group}:
        raise ArchiveError(f"the files of {first.day} hold rows of {min(others)}", day=first.day)
    store.sync([path])
    published = chain.publish(
        "compaction",
        [
            describe_day(
                entry.day,
                entry.generation + 1,
                [shares[entry.day].of(entry.generation + 1)] if entry.day in shares else [],
            )
            for entry in group
        ],
    )
    store.sync([published.manifest.name])
    hot_chain.note_replaced(statements, published.record)
    any_share = next(iter(shares.values()))
    return CompactedFile(
        path,
        tuple(entry.day for entry in group),
        len(old),
        any_share.file_rows,
        any_share.size_bytes,
        sum(file.size_bytes for file in old.values()),
    )
