"""Where the archive lives: a folder, or a prefix of an object store. Files appear whole or not at all.

S3 is spoken by obstore, chosen by trying each on a SeaweedFS on loopback (2 cores, seconds):

                                    s3fs 2026.9     pyarrow.fs 26    obstore 0.12
    packages, installed             ~12, 41 MB      none             1, 16 MB
    put only if there is none       yes             no               yes
    waits and retries               yes             yes              yes, and goes on with a torn read
    gs://, az://                    other packages  yes              yes, untested here
    300 reads of 12 kB, 16 threads  2.4             0.4              0.2
    300 such files in DuckDB        4.2             2.9              1.9, by places/remote_files.py 0.5

Through fsspec, a file whose writer raises appears all the same, torn, with any of them: hence
places/upload.py.
DuckDB's own reader of S3 (httpfs) is downloaded at run time, and no package has it for DuckDB 2.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TypeVar
from uuid import uuid4

import duckdb
from fsspec import AbstractFileSystem

from activity_pipeline.archive.places.answers import quoted
from activity_pipeline.archive.places.place import open_place
from activity_pipeline.errors import ArchiveError

PART_BYTES = 8 * 1024 * 1024
"""A store takes 10,000 parts: 80 GB a file."""

GRACE_S = 3600.0
"""What a writer has not touched for so long was left by one that is gone."""

REQUESTS_AT_ONCE = 16

Item = TypeVar("Item")
Result = TypeVar("Result")


class ArchiveStore:
    """Files below an archive's root, by their path relative to it.

    Attributes:
        url: The root as it was given.
        root: The root as the place names it.
        is_local: Whether it is a folder of this machine: then files are fsynced, 0600, folders 0700.
    """

    def __init__(self, url: str, *, part_bytes: int = PART_BYTES) -> None:
        """Open the archive at a folder or URL; nothing is created before the first write.

        Args:
            url: A path, s3://bucket/prefix, gs://… or az://…; credentials are in the environment.
            part_bytes: Larger files are uploaded in parts of this size.

        Raises:
            ArchiveError: The URL is of no known kind, or its package is not installed.
        """
        self.url = str(url)
        with _trying("open", self.url):
            self._place = open_place(self.url, part_bytes)
        self.root = self._place.root
        self.is_local = self._place.is_local

    def full(self, path: str) -> str:
        """Return a path as the place names it."""
        return self._place.full(path)

    def duckdb_path(self, path: str) -> str:
        """Return a path as DuckDB names it, once `register` was called on its connection."""
        return self._place.full(path)

    @property
    def fs(self) -> AbstractFileSystem:
        """An fsspec file system to read with, as pyarrow takes it; its paths are those of `full`."""
        return self._place.files()

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a DuckDB connection read this archive."""
        self._place.register(connection)

    @contextlib.contextmanager
    def querying(self) -> Iterator[None]:
        """Say of DuckDB's errors that the archive cannot be read, for queries over its files.

        Raises:
            ArchiveError: A file cannot be read.
        """
        try:
            yield
        except duckdb.Error as error:
            raise ArchiveError(f"the archive cannot be read: {quoted(error)}") from error

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Open a file that appears under its name, or replaces what has it, when the block ends well.

        A file of this machine survives a power cut only after `sync`.

        Raises:
            ArchiveError: The store cannot take it.
        """
        with _trying("write", path), self._place.writing(path) as stream:
            yield stream

    def create(self, path: str, content: bytes) -> None:
        """Write a file under a name that is nobody's yet; of two that try, one does.

        The very same bytes under that name are fine: an earlier try has written them.

        Raises:
            ArchiveError: The name is taken by other bytes, or the store cannot take it.
        """
        with _trying("write", path):
            if self._place.create(path, content):
                return
        if self.read(path) != content:
            raise ArchiveError(
                f"{path} is there already, with other bytes: another writer was first", path=path
            )

    def sync(self, paths: Collection[str]) -> None:
        """Wait until files are on disk, with the folders that name them; object stores have it already."""
        self._place.sync(paths)

    def read(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises:
            ArchiveError: It is not there or cannot be read.
        """
        with _trying("read", path):
            return b"".join(self._place.chunks(path))

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        return self.size(path) is not None

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes, None where there is no such file.

        Raises:
            ArchiveError: The store does not say.
        """
        with _trying("look at", path):
            return self._place.size(path)

    def sizes(self, folder: str) -> dict[str, int]:
        """Return the size in bytes of each file below a folder, however deep, by path, in order.

        Raises:
            ArchiveError: The store does not list it.
        """
        with _trying("list", folder):
            return dict(sorted(self._place.sizes(folder).items()))

    def find(self, folder: str) -> list[str]:
        """Return the files below a folder, however deep, relative to the root, in order.

        Raises:
            ArchiveError: The store does not list it.
        """
        return list(self.sizes(folder))

    def list(self, folder: str) -> list[str]:
        """Return the files in a folder, relative to the root, in order; none where it does not exist.

        Raises:
            ArchiveError: The store does not list it.
        """
        with _trying("list", folder):
            return sorted(self._place.list(folder))

    def remove(self, path: str) -> None:
        """Delete a file; one that is not there is no error.

        Raises:
            ArchiveError: The store does not let it go.
        """
        with _trying("delete", path):
            self._place.remove(path)

    def digest(self, path: str) -> tuple[int, str]:
        """Return a file's size in bytes and its SHA-256.

        Raises:
            ArchiveError: It is not there or cannot be read.
        """
        size_bytes, digest = 0, hashlib.sha256()
        with _trying("read", path):
            for chunk in self._place.chunks(path):
                size_bytes += len(chunk)
                digest.update(chunk)
        return size_bytes, digest.hexdigest()

    def each(self, ask: Callable[[Item], Result], items: Collection[Item]) -> Iterator[Result]:
        """Ask something of each item, in order; many at a time where that is a request to another machine."""
        if self.is_local or len(items) < 2:
            yield from map(ask, items)
            return
        with ThreadPoolExecutor(REQUESTS_AT_ONCE, thread_name_prefix="archive") as pool:
            yield from pool.map(ask, items)

    def clean(self, folder: str = "", *, grace_s: float = GRACE_S) -> Sequence[str]:
        """Remove what killed writers left below a folder `grace_s` ago or earlier; return whose it was.

        Whoever calls it holds the chain, so that nobody else is at work on the archive.
        """
        with _trying("clean", self.url):
            return self._place.clean(folder, grace_s)

    def check(self) -> None:
        """Try what an archive needs of its place: write, read, list, write once only, delete.

        Raises:
            ArchiveError: What fails, and why.
        """
        name = f"check-{uuid4().hex}.json"
        try:
            self.create(name, b"first")
            if self.read(name) != b"first" or name not in self.list(""):
                raise ArchiveError(f"{self.url} does not show what was just written")
            with contextlib.suppress(ArchiveError):
                self.create(name, b"second")
                raise _OverwrittenError
        except _OverwrittenError:
            raise ArchiveError(
                f"{self.url} overwrites files that should be written once only (If-None-Match)"
            ) from None
        finally:
            with contextlib.suppress(ArchiveError):
                self.remove(name)


class _OverwrittenError(Exception):
    """A name was given away twice."""


@contextlib.contextmanager
def _trying(what: str, path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ArchiveError(f"the archive cannot {what} {path}: {error}") from error
