"""Verification: an archive against itself, with no database and nothing but its files.

    checked                                          finds
    each manifest is one, under its own name, in     tampering, a day's manifest in another day's place
    the bytes that it is published in
    sequence numbers from 0 on, each once            a manifest that is missing
    each names the one before it and its SHA-256     any changed byte of any manifest
    head.json names a manifest of the chain          manifests that were taken off the chain's end
    signatures, from the first signed manifest on    a manifest, head or receipt that was made up
    generations of a day from 1 on, and what each    a generation rolled back or left out; rows lost in a
    operation made of the one before it              compaction, or beyond what an erasure admits
    rows, bytes and content hash are the files' sums a total that was made up
    each listed file: there, its size, its SHA-256   any changed byte of a file, files that were swapped
    all rows of a file belong to days that list it   rows that are counted twice or by nobody
    deep: rows read back, content hash, first and    a file and its manifest that were forged alike but for
    last timestamp of each day in it                 the content
    every file below events/                         a file that no manifest vouches for, or that an
                                                     erasure should have removed
    bytes of files that a compaction has replaced,   any changed byte, for those who still read them
    as long as they are there

What no archive can tell of itself is that it is an older copy as a whole, its head included: compare
with a head noted earlier (`noted`). Without a key that is trusted, anybody can sign.

Not evidence, and not looked at: `results/` and `views.sql`, which are computed from the events, and
what else lies in other folders. An export that is under way shows as a file that no manifest lists.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date

import duckdb
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from activity_pipeline.archive.chain.history import Document, Fault, History, chain_faults, document_faults
from activity_pipeline.archive.chain.manifest import FOLDER, DataFile, Link
from activity_pipeline.archive.chain.publish import HEAD
from activity_pipeline.archive.files.parquet import ReadBack, read_back
from activity_pipeline.archive.places.answers import quoted
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError

FILES_AT_ONCE = 4
FILES_PER_QUERY = 100
BYTES_PER_QUERY = 64 * 1024 * 1024


@dataclass(slots=True)
class Verification:
    """What was looked at, and what is wrong.

    Attributes:
        manifests: Manifests read, the whole chain.
        signed: Those of them that are signed.
        days: Days whose files were looked at.
        files: Files looked at.
        size_bytes: Bytes of them.
        rows: Rows that their manifests say they hold.
        superseded: Files that a compaction has replaced and nobody has swept away yet.
        head: The last manifest of the chain; none in an empty archive.
        faults: What is wrong, in order of the paths.
    """

    manifests: int = 0
    signed: int = 0
    days: int = 0
    files: int = 0
    size_bytes: int = 0
    rows: int = 0
    superseded: int = 0
    head: Link | None = None
    faults: list[Fault] = field(default_factory=list)


def verify(
    store: ArchiveStore,
    *,
    days: tuple[date, date] | None = None,
    only: Collection[date] | None = None,
    pending: Collection[str] = (),
    deep: bool = False,
    public: Sequence[Ed25519PublicKey] = (),
    noted: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Verification:
    """Verify an archive by its own files; works on a copy anywhere.

    Args:
        store: The archive.
        days: First and last day whose files are looked at; the chain is always looked at whole.
        only: Those of the days whose files are looked at.
        pending: Files that an operation under way may have written, and not published yet.
        deep: Read every row back and compare content, not only the files' bytes.
        public: Keys that are trusted: the end of the chain must be signed with one of them. Without
            any, signatures are not compared with what they sign.
        noted: SHA-256 of a head noted earlier, which the chain must go through.
        progress: Told of files done and files in all.
    """
    found = Verification()
    # What is published meanwhile is in the manifests, which are read last.
    present = store.find("events")
    head = store.read(HEAD) if store.exists(HEAD) else None
    documents: list[Document] = []
    for read in store.each(lambda name: _read(store, name), store.list(FOLDER)):
        if isinstance(read, Document):
            documents.append(read)
        else:
            found.faults.append(read)
    documents.sort(key=lambda document: document.manifest.sequence)
    found.manifests = len(documents)
    found.signed = sum(document.is_signed for document in documents)
    found.head = documents[-1].link if documents else None
    found.faults += chain_faults(documents, head, noted)
    found.faults += document_faults(store, documents, head, public)
    history = History()
    for document in documents:
        found.faults += history.take(document.manifest)

    shares = history.shares()
    whole = set(present)
    found.faults += history.stray_faults(whole - set(shares) - set(pending))
    replaced = {path: history.superseded[path].file for path in whole & set(history.superseded)}
    found.superseded = len(replaced)
    wanted = [
        entry
        for entry in history.newest.values()
        if (days is None or days[0] <= entry.day <= days[1]) and (only is None or entry.day in only)
    ]
    paths = sorted({file.path for entry in wanted for file in entry.files})
    found.days = len(wanted)
    found.files = len(paths)
    found.size_bytes = sum(entry.size_bytes for entry in wanted)
    found.rows = sum(entry.row_count for entry in wanted)
    found.faults += file_faults(store, {path: shares[path] for path in paths}, deep=deep, progress=progress)
    if days is None and only is None:
        found.faults += _replaced_faults(store, replaced)
    found.faults.sort(key=lambda fault: fault.path)
    return found


def _read(store: ArchiveStore, name: str) -> Document | Fault:
    try:
        return Document.read(store, name)
    except ArchiveError as error:
        return Fault(name, str(error))


def file_faults(
    store: ArchiveStore,
    shares: dict[str, dict[date, DataFile]],
    *,
    deep: bool,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Iterator[Fault]:
    """Compare files with what the manifests say of them: bytes, and content where `deep`.

    Args:
        store: The archive.
        shares: The share of each day in each file, by path.
        deep: Read every row back.
        progress: Told of files done and files in all.
    """
    done = 0
    with contextlib.ExitStack() as stack:
        connection = stack.enter_context(duckdb.connect(":memory:")) if deep else None
        pool = stack.enter_context(ThreadPoolExecutor(FILES_AT_ONCE, thread_name_prefix="verify"))
        for paths in _batches(shares):
            found = pool.map(lambda path: _share_fault(store, path, list(shares[path].values())), paths)
            whats = dict(zip(paths, found, strict=True))
            if connection is not None:
                whole = {path: shares[path] for path, what in whats.items() if what is None}
                whats |= _content_faults(store, whole, connection)
            done += len(paths)
            progress(done, len(shares))
            yield from (Fault(path, what) for path, what in whats.items() if what)


def _batches(shares: dict[str, dict[date, DataFile]]) -> Iterator[list[str]]:
    """Group files, many small ones or a large one by itself: a query costs more than a thin day's rows."""
    batch: list[str] = []
    size_bytes = 0
    for path, days in shares.items():
        batch.append(path)
        size_bytes += next(iter(days.values())).size_bytes
        if len(batch) == FILES_PER_QUERY or size_bytes > BYTES_PER_QUERY:
            yield batch
            batch, size_bytes = [], 0
    if batch:
        yield batch


def _share_fault(store: ArchiveStore, path: str, files: list[DataFile]) -> str | None:
    """Compare a file with what the manifests say of it, but for its content."""
    if len({(file.size_bytes, file.sha256, file.file_rows) for file in files}) > 1:
        return "is described in two ways"
    if sum(file.row_count for file in files) != (files[0].file_rows or files[0].row_count):
        return "holds rows that no day lists, or that two days list"
    return _bytes_fault(store, files[0])


def _bytes_fault(store: ArchiveStore, file: DataFile) -> str | None:
    try:
        if store.size(file.path) is None:
            return "is missing"
        size_bytes, sha256 = store.digest(file.path)
    except ArchiveError as error:
        return str(error)
    if size_bytes != file.size_bytes:
        return f"has {size_bytes} bytes, not {file.size_bytes}"
    if sha256 != file.sha256:
        return "has other bytes than its manifest says (SHA-256)"
    return None


def _replaced_faults(store: ArchiveStore, files: dict[str, DataFile]) -> Iterator[Fault]:
    """Compare what a compaction has replaced with what it was, unless it was swept away meanwhile."""
    for path, file in files.items():
        what = _bytes_fault(store, file)
        if what and store.exists(path):
            yield Fault(path, what)


def _content_faults(
    store: ArchiveStore, shares: dict[str, dict[date, DataFile]], connection: duckdb.DuckDBPyConnection
) -> dict[str, str | None]:
    """Read files back, and say for each what is wrong with its content."""
    try:
        held = read_back(store, list(shares), connection)
    except duckdb.Error as error:
        if len(shares) == 1:
            return dict.fromkeys(shares, f"cannot be read back: {quoted(error)}")
        each = (_content_faults(store, {path: days}, connection) for path, days in shares.items())
        return {path: what for whats in each for path, what in whats.items()}
    return {path: _content_fault(held[path], days) for path, days in shares.items()}


def _content_fault(held: dict[date, ReadBack], days: dict[date, DataFile]) -> str | None:
    if other := sorted(set(held) - set(days)):
        return f"holds rows of another day, {other[0]}"
    for day, file in days.items():
        read = held.get(day)
        if read is None or read.content != file.content:
            rows, digest = (read.content.rows, read.content.digest) if read else (0, "none")
            return f"holds {rows} rows of {day} ({digest}), not what its manifest says"
        if (read.first_at, read.last_at) != (file.first_at, file.last_at):
            return f"spans {read.first_at} to {read.last_at} of {day}, not what its manifest says"
    return None
