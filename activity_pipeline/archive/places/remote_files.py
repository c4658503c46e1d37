"""An object store as DuckDB and pyarrow read it: whole where an object is small, else by ranges."""

from __future__ import annotations

import collections
import io
import re
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import obstore
from fsspec import AbstractFileSystem
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

if TYPE_CHECKING:
    from obstore import GetOptions

FIRST_BYTES = 256 * 1024
"""Read when a file is looked at for the first time: all of a thin day's, in one request."""

NO_RANGE = re.compile(r"\b416\b|Range started at 0")
"""What is said of an empty object, in which no range lies."""

HELD = 64
"""First bytes are kept of so many files: DuckDB opens one three times in a row."""

Answering = Callable[[], AbstractContextManager[None]]


@dataclass(frozen=True, slots=True)
class Looked:
    """An object as it was first seen.

    Attributes:
        size: Its size in bytes.
        modified: When it was written.
        e_tag: Its version.
        first: Its first bytes.
    """

    size: int
    modified: datetime
    e_tag: str | None
    first: bytes


def look(store: ObjectStore, key: str, first_bytes: int) -> Looked:
    """Look at an object and its first bytes, in one request; raises as obstore does."""
    try:
        result = obstore.get(store, key, options={"range": (0, first_bytes)})
    except BaseError as error:
        if not NO_RANGE.search(str(error)):
            raise
        meta, first = obstore.head(store, key), b""
        if meta["size"]:
            raise
    else:
        meta, first = result.meta, bytes(result.bytes())
    return Looked(meta["size"], meta["last_modified"], meta["e_tag"], first)


def read_range(store: ObjectStore, key: str, looked: Looked, start: int, end: int) -> bytes:
    """Return the bytes from `start` to before `end`; raises where the object is another one by now."""
    if end <= len(looked.first):
        return looked.first[start:end]
    options: GetOptions = {"range": (start, end)}
    if looked.e_tag:
        options["if_match"] = looked.e_tag
    return bytes(obstore.get(store, key, options=options).bytes())


class RemoteFiles(AbstractFileSystem):  # type: ignore[misc]
    """Read-only; made for one DuckDB connection, which finds what it has looked at as it was.

    Args:
        scheme: Of the root's URL.
        root: URL that all paths begin with.
        store: The objects below the root.
        answering: Turns the client's errors into OSErrors.
    """

    cachable = False

    def __init__(self, scheme: str, root: str, store: ObjectStore, answering: Answering) -> None:
        super().__init__()
        self.protocol = scheme
        self._root = root
        self._store = store
        self._answering = answering
        self._held: collections.OrderedDict[str, Looked] = collections.OrderedDict()
        self._lock = threading.Lock()

    def glob(self, path: str, **_: Any) -> list[str]:
        """Return the path itself: files are named one by one, whatever characters their names have."""
        return [path]

    def info(self, path: str, **_: Any) -> dict[str, Any]:
        """Describe an object."""
        looked = self._look(self._key(path))
        return {"name": path, "type": "file", "size": looked.size, "mtime": looked.modified}

    def modified(self, path: str) -> datetime:
        """Return when an object was written."""
        return self._look(self._key(path)).modified

    def open(self, path: str, mode: str = "rb", **_: Any) -> RemoteFile:
        """Open an object to read it.

        Raises:
            OSError: It is to be written, is not there, or the store does not answer.
        """
        if "r" not in mode:
            raise PermissionError(f"{path} is read here, not written")
        key = self._key(path)
        return RemoteFile(self, key, self._look(key))

    def read(self, key: str, looked: Looked, start: int, end: int) -> bytes:
        """Return a range of an object; raises OSError where it is another one by now."""
        try:
            with self._answering():
                return read_range(self._store, key, looked, start, end)
        except OSError:
            with self._lock:
                self._held.pop(key, None)
            raise

    def _look(self, key: str) -> Looked:
        with self._lock:
            if looked := self._held.get(key):
                self._held.move_to_end(key)
                return looked
        with self._answering():
            looked = look(self._store, key, FIRST_BYTES)
        with self._lock:
            self._held[key] = looked
            while len(self._held) > HELD:
                self._held.popitem(last=False)
        return looked

    def _key(self, path: str) -> str:
        for prefix in (f"{self._root}/", f"{self._root.partition('://')[2]}/"):
            if path.startswith(prefix):
                return path.removeprefix(prefix)
        raise FileNotFoundError(f"{path} is not below {self._root}")


class RemoteFile(io.RawIOBase):
    """An object that is read by ranges, as whoever reads it asks for them."""

    def __init__(self, files: RemoteFiles, key: str, looked: Looked) -> None:
        self._files = files
        self._key = key
        self._looked = looked
        self._at = 0

    def readable(self) -> bool:
        """It is."""
        return True

    def seekable(self) -> bool:
        """It is."""
        return True

    def tell(self) -> int:
        """Return the place of the next byte."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Move to a place."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._looked.size}[whence]
        return self._at

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes, fewer only at the end."""
        left = max(self._looked.size - self._at, 0)
        wanted = left if size is None or size < 0 else min(size, left)
        if not wanted:
            return b""
        content = self._files.read(self._key, self._looked, self._at, self._at + wanted)
        self._at += len(content)
        return content

    def readinto(self, buffer: Any, /) -> int:
        """Read into a buffer."""
        view = memoryview(buffer).cast("B")
        content = self.read(len(view))
        view[: len(content)] = content
        return len(content)
