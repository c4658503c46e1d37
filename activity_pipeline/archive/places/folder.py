"""An archive in a folder of this machine: files are 0600, folders 0700."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import time
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO
from uuid import uuid4

import duckdb
from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

CHUNK_BYTES = 1024 * 1024
SYNCS_AT_ONCE = 16
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")
NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EOPNOTSUPP}
"""What file systems without hard links answer: FAT, and some that stand for a bucket."""


class Folder:
    """Files below a folder; see `Place`.

    Attributes:
        root: The folder, absolute.
    """

    is_local = True

    def __init__(self, folder: str) -> None:
        self.root = str(Path(folder).expanduser().absolute())

    def full(self, path: str) -> str:
        """Return a path as the operating system names it."""
        return f"{self.root.rstrip('/')}/{path}"

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Nothing to do: DuckDB reads folders."""

    def files(self) -> AbstractFileSystem:
        """Return the file system of this machine."""
        return LocalFileSystem()

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Write beside the file and rename."""
        target = Path(self.full(path))
        with self._temporary(target) as temporary:
            with temporary.open("wb") as stream:
                yield stream
            temporary.rename(target)

    def create(self, path: str, content: bytes) -> bool:
        """Write beside the file and link, which takes no name that is taken."""
        target = Path(self.full(path))
        with self._temporary(target) as temporary:
            temporary.write_bytes(content)
            try:
                target.hardlink_to(temporary)
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in NO_LINKS:
                    raise
                if target.exists():
                    return False
                temporary.rename(target)
        return True

    def sync(self, paths: Collection[str]) -> None:
        """Wait until files are on disk, with the folders that name them.

        Many at a time: the file system writes its journal once for all that wait for it.
        """
        if not paths:
            return
        files = {Path(self.full(path)) for path in paths}
        folders = {folder for file in files for folder in file.relative_to(self.root).parents}
        with ThreadPoolExecutor(SYNCS_AT_ONCE, thread_name_prefix="sync") as pool:
            list(pool.map(_sync, [*files, *(Path(self.root) / folder for folder in folders)]))

    def chunks(self, path: str) -> Iterator[bytes]:
        """Read a file."""
        with Path(self.full(path)).open("rb") as stream:
            while chunk := stream.read(CHUNK_BYTES):
                yield chunk

    def size(self, path: str) -> int | None:
        """Return a file's size."""
        try:
            return Path(self.full(path)).stat().st_size
        except FileNotFoundError:
            return None

    def sizes(self, folder: str) -> dict[str, int]:
        """Return all sizes; a file that goes while they are looked up is left out."""
        found: dict[str, int] = {}
        for path, file in self._walk(folder):
            with contextlib.suppress(FileNotFoundError):
                found[path] = file.stat().st_size
        return found

    def list(self, folder: str) -> list[str]:
        """Return the files in a folder; names that begin with a dot are nobody's business."""
        prefix = f"{folder}/" if folder else ""
        try:
            with os.scandir(self.full(folder)) as entries:
                return [f"{prefix}{e.name}" for e in entries if e.is_file() and not e.name.startswith(".")]
        except FileNotFoundError:
            return []

    def remove(self, path: str) -> None:
        """Delete a file."""
        Path(self.full(path)).unlink(missing_ok=True)

    def clean(self, folder: str, grace_s: float) -> Sequence[str]:
        """Remove the temporary files of writers that were killed."""
        before = time.time() - grace_s
        removed = []
        for path, file in self._walk(folder, temporary=True):
            with contextlib.suppress(FileNotFoundError):
                if file.stat().st_mtime <= before:
                    file.unlink()
                    removed.append(path)
        return removed

    def _walk(self, folder: str, *, temporary: bool = False) -> Iterator[tuple[str, Path]]:
        prefix = len(self.full(""))
        for at, _, names in os.walk(self.full(folder)):
            for name in names:
                if bool(TEMPORARY.fullmatch(name)) == temporary:
                    file = Path(at, name)
                    yield str(file)[prefix:], file

    @contextlib.contextmanager
    def _temporary(self, target: Path) -> Iterator[Path]:
        _make_folders(target.parent)
        temporary = target.with_name(f".{target.name}.{uuid4().hex}")
        try:
            os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            yield temporary
        finally:
            temporary.unlink(missing_ok=True)


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
