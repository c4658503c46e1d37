"""Files without the rows of one user or entity, in the place of those that hold some."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

import duckdb

from activity_pipeline.archive.chain.index import files_of, newest_entries
from activity_pipeline.archive.chain.manifest import (
    PACKED,
    DataFile,
    DayEntry,
    describe_day,
    file_path,
    pack_path,
)
from activity_pipeline.archive.days.find import matches
from activity_pipeline.archive.files.describe import Share, describe_files
from activity_pipeline.archive.files.parquet import read_back, stored_rows, write_file
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError
from activity_pipeline.events.content import EMPTY, Content
from activity_pipeline.events.subject import Subject


@dataclass
class Rewrite:
    """New files, that no manifest lists yet.

    Attributes:
        paths: The files.
        entries: The days of the files that they replace, as they will be.
    """

    paths: list[str] = field(default_factory=list)
    entries: list[DayEntry] = field(default_factory=list)

    def discard(self, store: ArchiveStore) -> None:
        """Delete the files, unless they were published after all."""
        for path in set(self.paths) - set(files_of(newest_entries(store).values())):
            store.remove(path)


def rewrite(
    rewritten: Rewrite,
    store: ArchiveStore,
    connection: duckdb.DuckDBPyConnection,
    entries: Mapping[date, DayEntry],
    files: Iterable[DataFile],
    subject: Subject,
    *,
    sequence: int,
    progress: Callable[[int, int], None],
) -> None:
    """Write files anew without a subject's rows, and sync them.

    A file of many days is written once for all of them; what a day has in files of its own becomes
    one file. Memory holds no more than two runs (files/layout.py).

    Args:
        rewritten: Takes what was written, also where it ends with an error.
        store: The archive.
        connection: Any DuckDB connection.
        entries: All days.
        files: Those that hold rows of the subject.
        subject: Whose rows go.
        sequence: Place in the chain of the manifest that will list them.
        progress: Told of files written and files in all.

    Raises:
        ArchiveError: What was kept and what was taken are not together what a manifest says.
    """
    groups = _groups(entries, files, sequence)
    new: dict[date, list[Share]] = defaultdict(list)
    taken: dict[date, Content] = {}
    is_ours = matches(subject)
    for done, (path, old) in enumerate(groups.items(), 1):
        rewritten.paths.append(path)
        store.remove(path)
        # Null, where a row has no user or entity, is not true.
        with store.querying(), stored_rows(store, old, connection, is_ours.isnull() | ~is_ours) as rows:
            write_file(store, path, rows, packed=PACKED.fullmatch(path) is not None)
        kept = describe_files(store, connection, [path])[path] if store.exists(path) else {}
        with store.querying():
            gone = _content_of(store, old, connection, is_ours)
        _compare(entries, old, {day: share.held.content for day, share in kept.items()}, gone)
        for day, share in kept.items():
            new[day].append(share)
        for day, content in gone.items():
            taken[day] = taken.get(day, EMPTY) + content
        progress(done, len(groups))
    store.sync([path for path in groups if store.exists(path)])
    replaced = {path for old in groups.values() for path in old}
    for day, entry in entries.items():
        if replaced.isdisjoint(file.path for file in entry.files):
            continue
        left = [file for file in entry.files if file.path not in replaced]
        generation = entry.generation + 1
        added = [share.of(generation) for share in new[day]]
        rewritten.entries.append(describe_day(day, generation, [*left, *added], taken.get(day)))


def _groups(
    entries: Mapping[date, DayEntry], files: Iterable[DataFile], sequence: int
) -> dict[str, list[str]]:
    """Return each new file with those that it replaces."""
    groups: dict[str, list[str]] = defaultdict(list)
    day_of = {file.path: entry for entry in entries.values() for file in entry.files}
    for file in files:
        if packed := PACKED.fullmatch(file.path):
            first, last = map(date.fromisoformat, packed.groups())
            groups[pack_path(first, last, sequence)].append(file.path)
        else:
            entry = day_of[file.path]
            groups[file_path(entry.day, entry.generation + 1)].append(file.path)
    return groups


def _compare(
    entries: Mapping[date, DayEntry],
    old: Collection[str],
    kept: Mapping[date, Content],
    gone: Mapping[date, Content],
) -> None:
    """Compare what was read back of files with what their manifests say."""
    said: dict[date, Content] = {}
    for day, entry in entries.items():
        if held := [file.content for file in entry.files if file.path in old]:
            said[day] = sum(held, EMPTY)
    for day in sorted({*said, *kept, *gone}):
        if kept.get(day, EMPTY) + gone.get(day, EMPTY) != said.get(day, EMPTY):
            raise ArchiveError(
                f"the files of {day} do not hold what its manifest says: verify the archive", day=day
            )


def _content_of(
    store: ArchiveStore,
    paths: list[str],
    connection: duckdb.DuckDBPyConnection,
    where: duckdb.Expression,
) -> dict[date, Content]:
    """Hash the rows of a condition by themselves, each day's."""
    contents: dict[date, Content] = {}
    for days in read_back(store, paths, connection, where).values():
        for day, held in days.items():
            contents[day] = contents.get(day, EMPTY) + held.content
    return contents
