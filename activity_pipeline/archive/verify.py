"""Verification: an archive against itself, with no database and nothing but its files.

    checked                                          finds
    each manifest is one, under its own name         tampering, a day's manifest in another day's place
    sequence numbers from 0 on, each once            a manifest that is missing
    each names the one before it and its SHA-256     any changed byte of any manifest but the last
    generations of a day from 1 on; each lists the   a generation rolled back or left out
    files of the one before it as they were
    rows, bytes and content hash are the files' sums a manifest that was made up
    each listed file: there, its size, its SHA-256   any changed byte of a file, files that were swapped
    deep: rows read back, content hash, first and    a file and its manifest that were forged alike but for
    last timestamp, all within the day               the content
    listed: every Parquet file below events/         a file that no manifest vouches for

What no archive can tell of itself is that its last manifests were taken off its end: compare the
head with one noted earlier.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import duckdb

from activity_pipeline.archive.manifest import (
    FOLDER,
    DataFile,
    Manifest,
    Previous,
    compose,
    file_path,
    read_manifest,
)
from activity_pipeline.archive.parquet import read_back
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError

FILES_AT_ONCE = 4


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was published.

    Attributes:
        path: The file or manifest, relative to the archive's root.
        what: What is wrong with it.
    """

    path: str
    what: str


@dataclass(slots=True)
class Verification:
    """What was looked at, and what is wrong.

    Attributes:
        manifests: Manifests read, the whole chain.
        days: Days whose files were looked at.
        files: Files looked at.
        size_bytes: Bytes of them.
        rows: Rows that their manifests say they hold.
        head: The last manifest of the chain; none in an empty archive.
        faults: What is wrong, in order of the paths.
    """

    manifests: int = 0
    days: int = 0
    files: int = 0
    size_bytes: int = 0
    rows: int = 0
    head: Previous | None = None
    faults: list[Fault] = field(default_factory=list)


def verify(
    store: ArchiveStore,
    *,
    days: tuple[date, date] | None = None,
    deep: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Verify an archive by its own files; works on a copy anywhere.

    Args:
        store: The archive.
        days: First and last day whose files are looked at; the chain is always looked at whole.
        deep: Read every row back and compare content, not only the files' bytes.
        progress: Told of files done and files in all.
    """
    found = Verification()
    manifests: list[tuple[Manifest, str]] = []
    for name in store.list(FOLDER):
        try:
            manifests.append(read_manifest(store, name))
        except ArchiveError as error:
            found.faults.append(Fault(name, str(error)))
    manifests.sort(key=lambda pair: pair[0].sequence)
    found.manifests = len(manifests)
    found.faults += _chain_faults(manifests)
    found.faults += _day_faults([manifest for manifest, _ in manifests])
    if manifests:
        last, sha256 = manifests[-1]
        found.head = Previous(name=last.name, sha256=sha256)

    newest = {manifest.day: manifest for manifest in _by_generation(manifests)}
    listed = {file.path for manifest in newest.values() for file in manifest.files}
    found.faults += [Fault(path, "no manifest lists it") for path in _stray_files(store, listed)]
    wanted = [m for m in newest.values() if days is None or days[0] <= m.day <= days[1]]
    found.days = len(wanted)
    found.files = sum(len(manifest.files) for manifest in wanted)
    found.size_bytes = sum(manifest.size_bytes for manifest in wanted)
    found.rows = sum(manifest.row_count for manifest in wanted)
    found.faults += _file_faults(store, wanted, deep=deep, progress=progress)
    found.faults.sort(key=lambda fault: fault.path)
    return found


def _by_generation(manifests: list[tuple[Manifest, str]]) -> list[Manifest]:
    return sorted((manifest for manifest, _ in manifests), key=lambda m: (m.day, m.generation))


def _chain_faults(manifests: list[tuple[Manifest, str]]) -> Iterator[Fault]:
    before: Previous | None = None
    expected = 0
    for manifest, sha256 in manifests:
        if manifest.sequence != expected:
            yield Fault(
                manifest.name, f"is number {manifest.sequence} of the chain, where {expected} should be"
            )
        elif manifest.previous != before:
            named = manifest.previous.name if manifest.previous else "none"
            was = before.name if before else "none"
            yield Fault(manifest.name, f"vouches for {named} before it with a hash that {was} does not have")
        before = Previous(name=manifest.name, sha256=sha256)
        expected = manifest.sequence + 1


def _day_faults(manifests: list[Manifest]) -> Iterator[Fault]:
    """Compare the generations of each day with each other, and each manifest with its own files."""
    before: dict[date, Manifest] = {}
    for manifest in sorted(manifests, key=lambda m: (m.day, m.generation)):
        known = before.get(manifest.day)
        generation, files = (known.generation, known.files) if known else (0, [])
        if manifest.generation != generation + 1:
            yield Fault(manifest.name, f"generation {generation + 1} of its day is missing")
        elif [file for file in manifest.files if file.generation <= generation] != files:
            yield Fault(manifest.name, f"does not list the files of generation {generation} as they were")
        sums = compose(
            manifest.day,
            manifest.generation,
            manifest.files,
            sequence=manifest.sequence,
            previous=manifest.previous,
        )
        if sums != manifest:
            yield Fault(manifest.name, "its totals are not those of its files")
        for file in manifest.files:
            if file.path != file_path(manifest.day, file.generation):
                yield Fault(manifest.name, f"lists {file.path}, which is no file of its day and generation")
        before[manifest.day] = manifest


def _stray_files(store: ArchiveStore, listed: set[str]) -> list[str]:
    return [path for path in store.find("events") if path.endswith(".parquet") and path not in listed]


def _file_faults(
    store: ArchiveStore, manifests: list[Manifest], *, deep: bool, progress: Callable[[int, int], None]
) -> Iterator[Fault]:
    files = [(manifest.day, file) for manifest in manifests for file in manifest.files]
    with (
        duckdb.connect(":memory:") as connection,
        ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="verify") as pool,
    ):
        read_with = connection if deep else None
        whats = pool.map(lambda each: _fault_of(store, each[0], each[1], read_with), files)
        for done, ((_, file), what) in enumerate(zip(files, whats, strict=True), 1):
            progress(done, len(files))
            if what:
                yield Fault(file.path, what)


def _fault_of(
    store: ArchiveStore, day: date, file: DataFile, connection: duckdb.DuckDBPyConnection | None
) -> str | None:
    """Compare a file with what its manifest says; its content too where there is a connection to read it."""
    if store.size(file.path) is None:
        return "is missing"
    size_bytes, sha256 = store.digest(file.path)
    if size_bytes != file.size_bytes:
        return f"has {size_bytes} bytes, not {file.size_bytes}"
    if sha256 != file.sha256:
        return "has other bytes than its manifest says (SHA-256)"
    return _content_fault(store, day, file, connection) if connection else None


def _content_fault(
    store: ArchiveStore, day: date, file: DataFile, connection: duckdb.DuckDBPyConnection
) -> str | None:
    try:
        with connection.cursor() as cursor:
            read = read_back(store, [file.path], cursor)[file.path]
    except duckdb.Error as error:
        return f"cannot be read back: {error}"
    if read.content != file.content:
        return f"holds {read.content.rows} rows ({read.content.digest}), not what its manifest says"
    if (read.first_at, read.last_at) != (file.first_at, file.last_at):
        return f"spans {read.first_at} to {read.last_at}, not what its manifest says"
    midnight = datetime.combine(day, datetime.min.time(), UTC)
    if read.first_at < midnight or read.last_at >= midnight + timedelta(days=1):
        return "holds rows of another day"
    return None
