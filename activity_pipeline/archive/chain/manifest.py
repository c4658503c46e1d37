"""Manifests: what days consist of as of one operation, each chained to the one published before it.

A manifest describes one day, or all the days that one operation changed together: it is published
whole or not at all. The entry with the highest generation of a day is the day.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

from activity_pipeline.archive.chain.signing import Signer, split_signature
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ManifestError
from activity_pipeline.events.content import EMPTY, Content

FORMAT = "activity-archive/2"
SCHEMA_VERSION = 1
FOLDER = "manifests"
PACKED = re.compile(r"events/packed/(\d{4}-\d\d-\d\d)\.\.(\d{4}-\d\d-\d\d)\.\d+\.parquet")
"""Path of a file of many days, with its first and last one."""

Operation = Literal["export", "compaction", "erasure"]
Sha256 = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
ContentHash = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{30}$")]
Count = Annotated[int, msgspec.Meta(ge=0)]
AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]


class DataFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One Parquet file, and what a day has in it.

    Attributes:
        path: Relative to the archive's root.
        generation: The generation of the day that added it.
        size_bytes: Its size.
        sha256: Hash of its bytes.
        row_count: The day's rows in it.
        first_at: The day's first timestamp in it.
        last_at: The day's last timestamp in it.
        content_hash: Content hash of the day's rows (events/content.py), read back from the file.
        file_rows: Rows of all days in it; absent where it holds this day alone.
    """

    path: str
    generation: AtLeastOne
    size_bytes: Count
    sha256: Sha256
    row_count: AtLeastOne
    first_at: datetime
    last_at: datetime
    content_hash: ContentHash
    file_rows: AtLeastOne | None = None

    @property
    def content(self) -> Content:
        """The day's rows and content hash."""
        return Content.parse(self.row_count, self.content_hash)

    @property
    def share_bytes(self) -> int:
        """The day's share of the file's size, by rows."""
        return self.size_bytes * self.row_count // (self.file_rows or self.row_count)


class Erased(msgspec.Struct, frozen=True, kw_only=True):
    """Rows that a generation no longer holds: its content and theirs are that of the generation before.

    Attributes:
        row_count: How many.
        content_hash: Their content hash.
    """

    row_count: Count
    content_hash: ContentHash

    @property
    def content(self) -> Content:
        """Rows and content hash."""
        return Content.parse(self.row_count, self.content_hash)


class DayEntry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All files of a day as of one generation.

    Attributes:
        day: The UTC day.
        generation: From 1.
        row_count: Rows in all files.
        size_bytes: The day's share of the size of all files.
        content_hash: Content hash of all rows.
        files: The files, oldest generation first.
        erased: What an erasure took away.
    """

    day: date
    generation: AtLeastOne
    row_count: Count
    size_bytes: Count
    content_hash: ContentHash
    files: list[DataFile]
    erased: Erased | None = None

    @property
    def content(self) -> Content:
        """Rows and content hash."""
        return Content.parse(self.row_count, self.content_hash)

    def up_to(self, generation: int) -> list[DataFile]:
        """Return the files without those that a later generation added."""
        return [file for file in self.files if file.generation <= generation]

    def added(self) -> Content:
        """Content of the rows in the files that this very generation added."""
        return sum((file.content for file in self.files if file.generation == self.generation), EMPTY)


class Link(msgspec.Struct, frozen=True, kw_only=True):
    """Another document of the archive.

    Attributes:
        name: Its path.
        sha256: Hash of its bytes.
    """

    name: str
    sha256: Sha256


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one operation made of one or more days.

    Attributes:
        format: FORMAT.
        schema_version: Version of the Parquet columns.
        sequence: Place in the chain, from 0.
        previous: The manifest before it, whatever its days; null for the first.
        operation: export adds a file of new rows, compaction keeps the rows and replaces files,
            erasure takes rows away.
        days: The days, in order.
        receipt: What was erased, and on whose word.
    """

    format: str
    schema_version: int
    sequence: Count
    previous: Link | None
    operation: Operation
    days: list[DayEntry]
    receipt: Link | None = None

    @property
    def name(self) -> str:
        """Path relative to the archive's root."""
        first, last = self.days[0], self.days[-1]
        if len(self.days) == 1:
            return f"{FOLDER}/{first.day.isoformat()}.{first.generation}.json"
        return f"{FOLDER}/{first.day.isoformat()}..{last.day.isoformat()}.{self.sequence}.json"

    def entry(self, day: date) -> DayEntry:
        """Return what it says of a day; raises ManifestError where it says nothing."""
        for entry in self.days:
            if entry.day == day:
                return entry
        raise ManifestError(f"{self.name} says nothing of {day}", name=self.name)

    def encode(self) -> bytes:
        """Return the bytes that are signed."""
        return encode(self)


def encode(document: msgspec.Struct) -> bytes:
    """Return a document's bytes: a member or value a line, so that a person can read and diff it."""
    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


def file_path(day: date, generation: int) -> str:
    """Return the path of the file that a generation adds, relative to the archive's root."""
    return f"events/date={day.isoformat()}/part-{generation}.parquet"


def pack_path(first: date, last: date, sequence: int) -> str:
    """Return the path of a file of many days, made by the manifest of that sequence number."""
    return f"events/packed/{first.isoformat()}..{last.isoformat()}.{sequence}.parquet"


def describe_day(
    day: date, generation: int, files: Sequence[DataFile], erased: Content | None = None
) -> DayEntry:
    """Describe a day by its files."""
    content = sum((file.content for file in files), EMPTY)
    return DayEntry(
        day=day,
        generation=generation,
        row_count=content.rows,
        size_bytes=sum(file.share_bytes for file in files),
        content_hash=content.digest,
        files=list(files),
        erased=Erased(row_count=erased.rows, content_hash=erased.digest) if erased else None,
    )


def read_manifest(store: ArchiveStore, name: str) -> tuple[Manifest, str]:
    """Return a manifest and the SHA-256 of its bytes.

    Raises:
        ManifestError: It is not a manifest that this release reads.
        ArchiveError: It cannot be read.
    """
    raw = store.read(name)
    return parse_manifest(raw, name), hashlib.sha256(raw).hexdigest()


def parse_manifest(raw: bytes, name: str) -> Manifest:
    """Read a manifest's bytes, signed or not.

    Raises:
        ManifestError: It is not a manifest that this release reads.
    """
    try:
        manifest = msgspec.json.decode(split_signature(raw)[0], type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"{name} is not a manifest: {error}", name=name) from error
    if manifest.format != FORMAT or not manifest.days or manifest.name != name:
        is_named = manifest.name if manifest.days else "of no day"
        raise ManifestError(f"{name} says that it is {is_named} in format {manifest.format}", name=name)
    return manifest


def publish(store: ArchiveStore, manifest: Manifest, signer: Signer | None) -> str:
    """Write a manifest, the last step of an operation; return the SHA-256 of its bytes.

    Raises:
        ArchiveError: Another manifest has its name: somebody else adds to the chain.
    """
    raw = manifest.encode()
    if signer:
        raw = signer.sign(raw)
    store.create(manifest.name, raw)
    return hashlib.sha256(raw).hexdigest()
