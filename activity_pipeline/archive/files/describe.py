"""What new files hold, read back from them, and whether a file still is what was said of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import duckdb

from activity_pipeline.archive.chain.manifest import DataFile
from activity_pipeline.archive.files.parquet import ReadBack, read_back
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError


@dataclass(frozen=True, slots=True)
class Share:
    """A day's share of a file.

    Attributes:
        path: The file, relative to the archive's root.
        size_bytes: Size of the file.
        sha256: Hash of the file's bytes.
        file_rows: Rows of all days in it.
        held: What the day has in it.
    """

    path: str
    size_bytes: int
    sha256: str
    file_rows: int
    held: ReadBack

    def of(self, generation: int) -> DataFile:
        """Return the share as a manifest lists it, added by a generation of the day."""
        content = self.held.content
        return DataFile(
            path=self.path,
            generation=generation,
            size_bytes=self.size_bytes,
            sha256=self.sha256,
            row_count=content.rows,
            first_at=self.held.first_at,
            last_at=self.held.last_at,
            content_hash=content.digest,
            file_rows=None if content.rows == self.file_rows else self.file_rows,
        )


def describe_files(
    store: ArchiveStore, connection: duckdb.DuckDBPyConnection, paths: Sequence[str]
) -> dict[str, dict[date, Share]]:
    """Read files back, and return the share of each day in each.

    Raises:
        ArchiveError: A file cannot be read.
    """
    with store.querying():
        held_in = read_back(store, paths, connection)
    described: dict[str, dict[date, Share]] = {}
    for (path, days), (size_bytes, sha256) in zip(
        held_in.items(), store.each(store.digest, held_in), strict=True
    ):
        file_rows = sum(held.content.rows for held in days.values())
        described[path] = {
            day: Share(path, size_bytes, sha256, file_rows, held) for day, held in days.items()
        }
    return described


def check_bytes(store: ArchiveStore, file: DataFile) -> None:
    """Compare a file's bytes with what its manifest says of them.

    Raises:
        ArchiveError: They are others, or cannot be read.
    """
    if store.digest(file.path) != (file.size_bytes, file.sha256):
        raise ArchiveError(f"{file.path} is not the file that its manifest lists", path=file.path)
