"""What the archive asks of the place where its files lie."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import IO, Protocol
from urllib.parse import urlsplit

import duckdb
from fsspec import AbstractFileSystem

from activity_pipeline.archive.places.folder import Folder
from activity_pipeline.errors import ArchiveError

SCHEMES = {"s3", "s3a", "gs", "az", "azure", "abfs", "abfss", "memory"}
URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)


class Place(Protocol):
    """Files by their path relative to a root. Every method raises OSError where the place fails it.

    Attributes:
        root: The root as the place names it.
        is_local: Whether it is a folder of this machine.
    """

    root: str
    is_local: bool

    def full(self, path: str) -> str:
        """Return a path as DuckDB and others name it."""

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a DuckDB connection read here."""

    def files(self) -> AbstractFileSystem:
        """Return an fsspec file system that reads here."""

    def writing(self, path: str) -> AbstractContextManager[IO[bytes]]:
        """Open a file that replaces what has its name once the block ends well."""

    def create(self, path: str, content: bytes) -> bool:
        """Write a new file, whole or not at all; False where its name is taken."""

    def sync(self, paths: Collection[str]) -> None:
        """Wait until files are on disk."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """Read a file from its first byte to its last."""

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes, None where there is no such file."""

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the size in bytes of every file below a folder, however deep, by path."""

    def list(self, folder: str) -> list[str]:
        """Return the paths of the files in a folder, in any order."""

    def remove(self, path: str) -> None:
        """Delete a file; one that is not there is no error."""

    def clean(self, folder: str, grace_s: float) -> Sequence[str]:
        """Remove what killed writers left that long ago, in seconds; return what it was."""


def open_place(url: str, part_bytes: int) -> Place:
    """Return the place at a folder or URL; nothing is created before the first write.

    Args:
        url: A path, file://…, s3://…, gs://…, az://… or abfss://….
        part_bytes: Files above it are uploaded in parts of this size.

    Raises:
        ArchiveError: The URL is of no kind that is known, holds a secret, or needs a package that is
            not installed.
    """
    match = URL.fullmatch(url)
    if match is None:
        return Folder(url)
    scheme, rest = match[1].lower(), match[2]
    if scheme == "file":
        return Folder(rest)
    if scheme not in SCHEMES:
        raise ArchiveError(f"an archive is a folder or an s3://, gs:// or az:// URL, not {scheme}://")
    parts = urlsplit(url)
    if parts.password or parts.query or parts.fragment:
        # Whoever shows the archive's address would show its secret.
        raise ArchiveError(
            f"the {scheme}:// address of the archive holds more than bucket and prefix: "
            "credentials and options belong into the environment"
        )
    try:
        from activity_pipeline.archive.places.bucket import Bucket  # noqa: PLC0415 of an extra
    except ModuleNotFoundError as error:
        raise ArchiveError(
            f"an archive at {scheme}:// needs the package {error.name}: "
            "pip install 'activity-pipeline[object-store]'"
        ) from error
    return Bucket(url, part_bytes)
