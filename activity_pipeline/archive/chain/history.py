"""What the manifests say of each other: their chain, their signatures, and each day's generations."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from activity_pipeline.archive.chain.manifest import (
    FORMAT,
    PACKED,
    DataFile,
    DayEntry,
    Link,
    Manifest,
    describe_day,
    encode,
    file_path,
    parse_manifest,
)
from activity_pipeline.archive.chain.publish import HEAD, Head
from activity_pipeline.archive.chain.receipt import FOLDER as RECEIPTS
from activity_pipeline.archive.chain.signing import signature_fault, split_signature
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is not as it was published.

    Attributes:
        path: The file or document, relative to the archive's root.
        what: What is wrong with it.
    """

    path: str
    what: str


@dataclass(frozen=True, slots=True)
class Document:
    """A manifest with its bytes."""

    manifest: Manifest
    raw: bytes

    @classmethod
    def read(cls, store: ArchiveStore, name: str) -> Document:
        """Read a manifest; raises as `read_manifest` does."""
        raw = store.read(name)
        return cls(parse_manifest(raw, name), raw)

    @property
    def link(self) -> Link:
        """What the manifest after it says of it."""
        return Link(name=self.manifest.name, sha256=hashlib.sha256(self.raw).hexdigest())

    @property
    def is_signed(self) -> bool:
        """Whether it has a signature, right or wrong."""
        return split_signature(self.raw)[1] is not None


def chain_faults(documents: Sequence[Document], head: bytes | None, noted: str | None) -> Iterator[Fault]:
    """Follow the chain from its first link to its last, and compare with the head that was written down.

    Args:
        documents: The manifests, in order of their numbers.
        head: Bytes of the head; none where there is no such file.
        noted: SHA-256 of a manifest that must be one of them.
    """
    before: Link | None = None
    expected = 0
    for document in documents:
        manifest = document.manifest
        if manifest.sequence != expected:
            yield Fault(
                manifest.name, f"is number {manifest.sequence} of the chain, where {expected} should be"
            )
        elif manifest.previous != before:
            named = manifest.previous.name if manifest.previous else "none"
            was = before.name if before else "none"
            yield Fault(manifest.name, f"vouches for {named} before it with a hash that {was} does not have")
        before = document.link
        expected = manifest.sequence + 1
    links = {document.manifest.sequence: document.link for document in documents}
    if noted and noted not in {link.sha256 for link in links.values()}:
        yield Fault(HEAD, f"the chain does not go through the head that was noted, {noted}")
    if head is not None:
        yield from _head_faults(split_signature(head)[0], links)
    elif documents:
        yield Fault(HEAD, "is missing")


def _head_faults(raw: bytes, links: Mapping[int, Link]) -> Iterator[Fault]:
    try:
        head = msgspec.json.decode(raw, type=Head)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        yield Fault(HEAD, f"is not the head of a chain: {error}")
        return
    if encode(head) != raw or head.format != FORMAT:
        yield Fault(HEAD, "is not in the bytes that it is published in")
    elif links.get(head.sequence) != head.last:
        yield Fault(HEAD, f"names {head.last.name} as number {head.sequence}, which the chain does not have")


def document_faults(
    store: ArchiveStore,
    documents: Sequence[Document],
    head: bytes | None,
    public: Sequence[Ed25519PublicKey],
) -> Iterator[Fault]:
    """Look at the bytes, signature and receipt of each manifest, and at the head's signature."""
    signed = False
    for document in documents:
        manifest = document.manifest
        if split_signature(document.raw)[0] != manifest.encode():
            yield Fault(manifest.name, "is not in the bytes that it is published in")
        if document.is_signed:
            signed = True
            if what := signature_fault(document.raw, public):
                yield Fault(manifest.name, what)
        elif signed:
            yield Fault(manifest.name, "is not signed, though one before it is")
        if manifest.receipt:
            yield from _receipt_faults(store, manifest.receipt, document.is_signed, public)
    linked = {document.manifest.receipt.name for document in documents if document.manifest.receipt}
    for name in store.list(RECEIPTS):
        # One of an erasure that found nothing in the archive, or that is under way.
        raw = b"" if name in linked else store.read(name)
        if split_signature(raw)[1] is not None and (what := signature_fault(raw, public)):
            yield Fault(name, what)
    if public and documents and not documents[-1].is_signed:
        yield Fault(documents[-1].manifest.name, "is not signed, and it is the last one")
    if signed and head is not None:
        yield from _signature_faults(HEAD, head, public)


def _receipt_faults(
    store: ArchiveStore, receipt: Link, is_signed: bool, public: Sequence[Ed25519PublicKey]
) -> Iterator[Fault]:
    try:
        raw = store.read(receipt.name)
    except ArchiveError:
        yield Fault(receipt.name, "is missing")
        return
    if hashlib.sha256(raw).hexdigest() != receipt.sha256:
        yield Fault(receipt.name, "has other bytes than its manifest says (SHA-256)")
    elif is_signed:
        yield from _signature_faults(receipt.name, raw, public)


def _signature_faults(name: str, raw: bytes, public: Sequence[Ed25519PublicKey]) -> Iterator[Fault]:
    if split_signature(raw)[1] is None:
        yield Fault(name, "is not signed, though manifests are")
    elif what := signature_fault(raw, public):
        yield Fault(name, what)


@dataclass(frozen=True, slots=True)
class Superseded:
    """A file that is no day's any more.

    Attributes:
        file: What it was.
        sequence: Number of the manifest that replaced it.
    """

    file: DataFile
    sequence: int


@dataclass
class History:
    """The days, as the manifests taken so far leave them.

    Attributes:
        newest: Newest entry of each day.
        superseded: Files that are no day's any more.
        erased_at: Sequence number of the last erasure.
    """

    newest: dict[date, DayEntry] = field(default_factory=dict)
    superseded: dict[str, Superseded] = field(default_factory=dict)
    erased_at: int = -1

    def take(self, manifest: Manifest) -> Iterator[Fault]:
        """Take the next manifest, and say what is wrong with what it makes of its days."""
        if manifest.operation == "erasure":
            self.erased_at = manifest.sequence
        for entry in manifest.days:
            before = self.newest.get(entry.day)
            yield from (Fault(manifest.name, what) for what in _entry_faults(manifest, entry, before))
            self.newest[entry.day] = entry
            kept = {file.path for file in entry.files}
            for file in before.files if before else []:
                if file.path not in kept:
                    self.superseded[file.path] = Superseded(file, manifest.sequence)

    def shares(self) -> dict[str, dict[date, DataFile]]:
        """Return each file of the archive, with the share of each day in it."""
        shares: dict[str, dict[date, DataFile]] = {}
        for entry in self.newest.values():
            for file in entry.files:
                shares.setdefault(file.path, {})[entry.day] = file
        return shares

    def stray_faults(self, paths: set[str]) -> Iterator[Fault]:
        """Say of files that no day lists whether they may be there: a compaction's leavings, for a while."""
        for path in sorted(paths):
            if path not in self.superseded:
                yield Fault(path, "no manifest lists it")
            elif self.superseded[path].sequence <= self.erased_at:
                yield Fault(path, "is still there, though it may hold rows that were erased")


def _entry_faults(manifest: Manifest, entry: DayEntry, before: DayEntry | None) -> Iterator[str]:
    generation, files = (before.generation, before.files) if before else (0, [])
    day = entry.day
    if entry.generation != generation + 1:
        yield f"generation {generation + 1} of {day} is missing"
    elif manifest.operation == "export":
        if [file for file in entry.files if file.generation <= generation] != files:
            yield f"does not list the files of generation {generation} of {day} as they were"
    else:
        taken = entry.erased.content if entry.erased else None
        held = entry.content + taken if taken else entry.content
        if before is None or held != before.content:
            yield f"does not hold the rows of generation {generation} of {day}"
    if entry.erased and (manifest.operation != "erasure" or manifest.receipt is None):
        yield f"takes rows of {day} away without a receipt"
    erased = entry.erased.content if entry.erased else None
    if describe_day(day, entry.generation, entry.files, erased) != entry:
        yield f"its totals of {day} are not those of its files"
    for file in entry.files:
        packed = PACKED.fullmatch(file.path)
        if packed:
            if not packed[1] <= day.isoformat() <= packed[2]:
                yield f"lists {file.path}, which is of other days than {day}"
        elif file.path != file_path(day, file.generation) or file.file_rows is not None:
            yield f"lists {file.path}, which is no file of {day} and its generation"
