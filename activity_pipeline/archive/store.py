"""Where the archive lives: a folder, or any fsspec URL. Files appear whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import IO
from uuid import uuid4

import duckdb
import fsspec
from fsspec.implementations.local import LocalFileSystem

from activity_pipeline.errors import ArchiveError

CHUNK_BYTES = 1024 * 1024
_UNFINISHED = re.compile(r"\..+\.[0-9a-f]{32}")
SYNCS_AT_ONCE = 16


class ArchiveStore:
    """Files below an archive's root, by their path relative to it.

    Attributes:
        fs: The file system.
        root: The root as that file system names it.
        is_local: Whether it is a folder of this machine: then files are fsynced, 0600, folders 0700.
    """

    def __init__(self, url: str) -> None:
        """Open the archive at a folder or URL; nothing is created before the first write."""
        self.url = url
        self.fs, self.root = fsspec.core.url_to_fs(str(url))
        self.is_local = isinstance(self.fs, LocalFileSystem)

    def full(self, path: str) -> str:
        """Return a path as the file system names it."""
        return f"{self.root.rstrip('/')}/{path}"

    def duckdb_path(self, path: str) -> str:
        """Return a path as DuckDB names it, once `register` was called on its connection."""
        full: str = self.full(path) if self.is_local else self.fs.unstrip_protocol(self.full(path))
        return full

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let a DuckDB connection read this archive."""
        protocol = self.fs.protocol if isinstance(self.fs.protocol, str) else self.fs.protocol[0]
        if not self.is_local and not connection.filesystem_is_registered(protocol):
            connection.register_filesystem(self.fs)

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Open a new file that appears under its name when the block ends well.

        A file of this machine survives a power cut only after `sync`.

        Raises:
            ArchiveError: The store cannot take it.
        """
        try:
            if self.is_local:
                with self._writing_locally(Path(self.full(path))) as stream:
                    yield stream
            else:
                # Object stores publish an object when its upload completes.
                with self.fs.open(self.full(path), "wb") as stream:
                    yield stream
        except OSError as error:
            raise ArchiveError(f"the archive cannot write {path}: {error}") from error

    def sync(self, paths: Collection[str]) -> None:
        """Wait until files are on disk, with the folders that name them; object stores have it already.

        Many at a time: the file system writes its journal once for all that wait for it.
        """
        if not self.is_local or not paths:
            return
        files = {Path(self.full(path)) for path in paths}
        folders = {folder for file in files for folder in file.relative_to(self.root).parents}
        with ThreadPoolExecutor(SYNCS_AT_ONCE, thread_name_prefix="sync") as pool:
            list(pool.map(_sync, [*files, *(Path(self.root) / folder for folder in folders)]))

    def read(self, path: str) -> bytes:
        """Return a file's bytes.

        Raises:
            ArchiveError: It is not there or cannot be read.
        """
        try:
            content: bytes = self.fs.cat_file(self.full(path))
        except OSError as error:
            raise ArchiveError(f"the archive cannot read {path}: {error}") from error
        return content

    def exists(self, path: str) -> bool:
        """Whether the file is there."""
        found: bool = self.fs.exists(self.full(path))
        return found

    def size(self, path: str) -> int | None:
        """Return a file's size in bytes, None where there is no such file.

        Raises:
            ArchiveError: It cannot be looked at.
        """
        try:
            size_bytes: int = self.fs.size(self.full(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ArchiveError(f"the archive cannot read {path}: {error}") from error
        return size_bytes

    def remove(self, path: str) -> None:
        """Delete a file; one that is not there is no error.

        Raises:
            ArchiveError: The store does not let it go.
        """
        try:
            self.fs.rm_file(self.full(path))
        except FileNotFoundError:
            return
        except OSError as error:
            raise ArchiveError(f"the archive cannot delete {path}: {error}") from error

    def find(self, folder: str) -> list[str]:
        """Return the files below a folder, however deep, relative to the root, in order."""
        self.fs.invalidate_cache()
        root = self.full("")
        return sorted(name.removeprefix(root) for name in self.fs.find(self.full(folder)))

    def list(self, folder: str) -> list[str]:
        """Return the files in a folder, relative to the root, in order; none where it does not exist.

        Raises:
            ArchiveError: It cannot be looked into.
        """
        self.fs.invalidate_cache()
        try:
            names = self.fs.ls(self.full(folder), detail=False)
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ArchiveError(f"the archive cannot list {folder}: {error}") from error
        return sorted(
            f"{folder}/{PurePosixPath(name).name}"
            for name in names
            if not PurePosixPath(name).name.startswith(".")
        )

    def digest(self, path: str) -> tuple[int, str]:
        """Return a file's size in bytes and its SHA-256.

        Raises:
            ArchiveError: It is not there or cannot be read.
        """
        size_bytes, digest = 0, hashlib.sha256()
        try:
            with self.fs.open(self.full(path), "rb") as stream:
                while chunk := stream.read(CHUNK_BYTES):
                    size_bytes += len(chunk)
                    digest.update(chunk)
        except OSError as error:
            raise ArchiveError(f"the archive cannot read {path}: {error}") from error
        return size_bytes, digest.hexdigest()

    @contextlib.contextmanager
    def _writing_locally(self, target: Path) -> Iterator[IO[bytes]]:
        _make_folders(target.parent)
        temporary = target.with_name(f".{target.name}.{uuid4().hex}")
        try:
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
                yield stream
            temporary.rename(target)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def is_unfinished(path: str) -> bool:
    """Whether a file is one that `ArchiveStore.writing` has not given its name yet."""
    return _UNFINISHED.fullmatch(PurePosixPath(path).name) is not None


def _make_folders(folder: Path) -> None:
    if folder.is_dir():
        return
    _make_folders(folder.parent)
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
