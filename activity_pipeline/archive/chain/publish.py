"""The chain of manifests, as one operation at a time adds to it.

Postgres knows the chain too. What a crash has published without telling Postgres is found when the
next operation takes the lock: an export waits for its gate (`Chain.half_done`), and compactions and
erasures, which have nothing more to prove, are noted as they are. What an erasure left on disk goes then.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import msgspec

from activity_pipeline.archive.chain.manifest import (
    FOLDER,
    FORMAT,
    SCHEMA_VERSION,
    DayEntry,
    Link,
    Manifest,
    Operation,
    encode,
    publish,
    read_manifest,
)
from activity_pipeline.archive.chain.signing import Signer
from activity_pipeline.archive.chain.sweep import finish_published
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError
from activity_pipeline.hot import chain as hot
from activity_pipeline.hot.connection import Statements

HEAD = "head.json"


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of the chain when an operation ended; what is published later lies beyond it.

    Attributes:
        format: FORMAT.
        sequence: Place of the last manifest.
        last: The last manifest.
    """

    format: str
    sequence: int
    last: Link


@dataclass(frozen=True, slots=True)
class Published:
    """A manifest that is part of the chain.

    Attributes:
        manifest: What it says.
        sha256: Hash of its bytes.
    """

    manifest: Manifest
    sha256: str

    @property
    def record(self) -> hot.ManifestRecord:
        """What Postgres notes of it."""
        manifest = self.manifest
        changes = [
            hot.DayChange(
                day=entry.day,
                generation=entry.generation,
                row_count=entry.row_count,
                size_bytes=entry.size_bytes,
                erased_rows=entry.erased.row_count if entry.erased else 0,
            )
            for entry in manifest.days
        ]
        return hot.ManifestRecord(
            manifest.sequence,
            manifest.name,
            self.sha256,
            manifest.operation,
            tuple(changes),
            manifest.receipt.name if manifest.receipt else None,
        )


@dataclass
class Chain:
    """The end of the chain, held by this operation.

    Attributes:
        store: The archive.
        signer: Signs what is published, where there is one.
        sequence: Place of the manifest that is published next.
        last: The manifest before it.
        half_done: Exports that a crash published without telling Postgres, in order.
    """

    store: ArchiveStore
    signer: Signer | None
    sequence: int = 0
    last: Link | None = None
    half_done: list[Published] = field(default_factory=list)

    def must_be_whole(self) -> None:
        """Refuse to go on where a crash has left an export half done.

        Raises:
            ArchiveError: One is; the next export finishes it.
        """
        if self.half_done:
            name = self.half_done[0].manifest.name
            raise ArchiveError(f"the export of {name} is half done: run the archive first", name=name)

    def publish(
        self, operation: Operation, entries: Sequence[DayEntry], receipt: Link | None = None
    ) -> Published:
        """Publish what an operation made of days, and sync it; whoever does tells Postgres then."""
        manifest = Manifest(
            format=FORMAT,
            schema_version=SCHEMA_VERSION,
            sequence=self.sequence,
            previous=self.last,
            operation=operation,
            days=sorted(entries, key=lambda entry: entry.day),
            receipt=receipt,
        )
        published = Published(manifest, publish(self.store, manifest, self.signer))
        self.advance(published)
        return published

    def advance(self, published: Published) -> None:
        """Make a manifest the last one.

        Raises:
            ArchiveError: It does not continue the chain.
        """
        manifest = published.manifest
        if (manifest.sequence, manifest.previous) != (self.sequence, self.last):
            raise ArchiveError(
                f"{manifest.name} is number {manifest.sequence} of the archive's chain, and this database "
                f"knows {self.sequence} manifests: is one of the two a restored backup?",
                name=manifest.name,
            )
        self.sequence = manifest.sequence + 1
        self.last = Link(name=manifest.name, sha256=published.sha256)

    def note_head(self) -> None:
        """Write where the chain ends now."""
        if self.last is not None:
            self.write(HEAD, Head(format=FORMAT, sequence=self.sequence - 1, last=self.last))

    def write(self, name: str, document: msgspec.Struct) -> Link:
        """Write a document beside the chain, signed like it, and sync it."""
        raw = encode(document)
        if self.signer:
            raw = self.signer.sign(raw)
        with self.store.writing(name) as stream:
            stream.write(raw)
        self.store.sync([name])
        return Link(name=name, sha256=digest(raw))


@contextlib.contextmanager
def open_chain(statements: Statements, store: ArchiveStore, signer: Signer | None) -> Iterator[Chain]:
    """Hold the end of the chain: one operation at a time.

    Raises:
        ArchiveError: Another operation is under way, or archive and Postgres know different chains.
    """
    if not hot.try_lock(statements):
        raise ArchiveError("another operation on the archive is under way")
    try:
        head = hot.last_manifest(statements)
        chain = Chain(store, signer)
        if head:
            chain.sequence, chain.last = head.sequence + 1, Link(name=head.name, sha256=head.sha256)
        before = chain.last
        store.clean()
        _adopt(statements, chain)
        finish_published(statements, store)
        yield chain
        if chain.last != before or not store.exists(HEAD):
            chain.note_head()
    finally:
        hot.unlock(statements)


def left_by_a_crash(statements: Statements, store: ArchiveStore) -> list[Published]:
    """Return the end of the chain that Postgres does not know, in order."""
    unknown = sorted(set(store.list(FOLDER)) - hot.registered_names(statements))
    left = [Published(*read_manifest(store, name)) for name in unknown]
    return sorted(left, key=lambda each: each.manifest.sequence)


def _adopt(statements: Statements, chain: Chain) -> None:
    """Take up what a crash left."""
    for published in left_by_a_crash(statements, chain.store):
        if published.manifest.operation == "export":
            chain.half_done.append(published)
        else:
            chain.advance(published)
            hot.note_replaced(statements, published.record)


def digest(raw: bytes) -> str:
    """Return the SHA-256 of a document's bytes."""
    return hashlib.sha256(raw).hexdigest()
