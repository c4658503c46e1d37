"""Manifests: what a generation of a day consists of, each chained to the one published before it."""

from __future__ import annotations

import hashlib
from datetime import date, datetime

import msgspec

from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ManifestError
from activity_pipeline.events.content import EMPTY, Content

FORMAT = "activity-archive/1"
SCHEMA_VERSION = 1
FOLDER = "manifests"


class DataFile(msgspec.Struct, frozen=True, kw_only=True):
    """One Parquet file of a day.

    Attributes:
        path: Relative to the archive's root.
        generation: The generation that added it.
        size_bytes: Its size.
        sha256: Hash of its bytes.
        row_count: Its rows.
        first_at: Its first timestamp.
        last_at: Its last timestamp.
        content_hash: Content hash of its rows (events/content.py), read back from the file.
    """

    path: str
    generation: int
    size_bytes: int
    sha256: str
    row_count: int
    first_at: datetime
    last_at: datetime
    content_hash: str

    @property
    def content(self) -> Content:
        """Rows and content hash."""
        return Content.parse(self.row_count, self.content_hash)


class Previous(msgspec.Struct, frozen=True, kw_only=True):
    """The manifest published before, whatever its day.

    Attributes:
        name: Its path.
        sha256: Hash of its bytes.
    """

    name: str
    sha256: str


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """All files of a day as of one generation; the newest generation's manifest is the day.

    Attributes:
        format: FORMAT.
        schema_version: Version of the Parquet columns.
        sequence: Place in the chain, from 0.
        previous: The manifest before it; null for the first.
        day: The UTC day.
        generation: From 1.
        row_count: Rows in all files.
        size_bytes: Bytes of all files.
        content_hash: Content hash of all rows.
        files: The files, oldest generation first.
    """

    format: str = FORMAT
    schema_version: int = SCHEMA_VERSION
    sequence: int
    previous: Previous | None
    day: date
    generation: int
    row_count: int
    size_bytes: int
    content_hash: str
    files: list[DataFile]

    @property
    def name(self) -> str:
        """Path relative to the archive's root."""
        return manifest_name(self.day, self.generation)

    def encode(self) -> bytes:
        """Return the bytes that are published and hashed."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"

    def added(self) -> Content:
        """Content of the rows that this very generation added."""
        return sum((file.content for file in self.files if file.generation == self.generation), EMPTY)


def manifest_name(day: date, generation: int) -> str:
    """Return a manifest's path relative to the archive's root."""
    return f"{FOLDER}/{day.isoformat()}.{generation}.json"


def file_path(day: date, generation: int) -> str:
    """Return the path of the file that a generation adds, relative to the archive's root."""
    return f"events/date={day.isoformat()}/part-{generation}.parquet"


def compose(
    day: date, generation: int, files: list[DataFile], *, sequence: int, previous: Previous | None
) -> Manifest:
    """Describe a day by its files."""
    content = sum((file.content for file in files), EMPTY)
    return Manifest(
        sequence=sequence,
        previous=previous,
        day=day,
        generation=generation,
        row_count=content.rows,
        size_bytes=sum(file.size_bytes for file in files),
        content_hash=content.digest,
        files=files,
    )


def read_manifest(store: ArchiveStore, name: str) -> tuple[Manifest, str]:
    """Return a manifest and the SHA-256 of its bytes.

    Raises:
        ManifestError: It is not a manifest that this release reads.
        ArchiveError: It cannot be read.
    """
    raw = store.read(name)
    try:
        manifest = msgspec.json.decode(raw, type=Manifest)
    except msgspec.DecodeError as error:
        raise ManifestError(f"{name} is not a manifest: {error}", name=name) from error
    if manifest.format != FORMAT or manifest.name != name:
        raise ManifestError(f"{name} says that it is {manifest.name} in format {manifest.format}", name=name)
    return manifest, hashlib.sha256(raw).hexdigest()


def publish(store: ArchiveStore, manifest: Manifest) -> str:
    """Write a manifest, the last step of an export; return the SHA-256 of its bytes."""
    raw = manifest.encode()
    with store.writing(manifest.name) as stream:
        stream.write(raw)
    return hashlib.sha256(raw).hexdigest()


def newest_names(store: ArchiveStore) -> dict[date, str]:
    """Return the newest manifest of each day, by looking at the archive alone."""
    newest: dict[date, tuple[int, str]] = {}
    for name in store.list(FOLDER):
        day_text, _, generation_text = name.removeprefix(f"{FOLDER}/").removesuffix(".json").partition(".")
        try:
            day, generation = date.fromisoformat(day_text), int(generation_text)
        except ValueError:
            raise ManifestError(f"{name} is not named as a manifest is", name=name) from None
        newest[day] = max(newest.get(day, (0, "")), (generation, name))
    return {day: name for day, (_, name) in sorted(newest.items())}
