"""An archive below a prefix of an object store, through obstore.

Addresses and credentials come from the environment: AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and so on, or
what the machine that this runs on was given.
"""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import IO, Any, TypeVar, cast
from urllib.parse import urlsplit

import duckdb
import obstore
from fsspec import AbstractFileSystem
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import MemoryStore, ObjectStore, from_url

from activity_pipeline.archive.places.answers import brief
from activity_pipeline.archive.places.remote_files import RemoteFiles, look, read_range
from activity_pipeline.archive.places.unfinished import ENDPOINTS, UnfinishedUploads
from activity_pipeline.archive.places.upload import Upload
from activity_pipeline.errors import SettingsError
from activity_pipeline.settings import cloud_environment

CHUNK_BYTES = 8 * 1024 * 1024
AGAIN_S = 15.0
"""How long we ask again where obstore does not: a conditional put may have been carried out, and the answer
to a listing may be torn."""
AGAIN_PAUSE_S = 0.2

RETRIES: Any = {
    "max_retries": 10,
    "retry_timeout": timedelta(minutes=3),
    "backoff": {
        "init_backoff": timedelta(milliseconds=250),
        "max_backoff": timedelta(seconds=5),
        "base": 2,
    },
}
"""About ten seconds: a drain that asks the archive for a late event waits no longer for one that is gone."""

Answer = TypeVar("Answer")


class Bucket:
    """Objects below a prefix; see `Place`.

    Attributes:
        root: URL of the prefix.
        part_bytes: Larger objects are uploaded in parts of this size.
    """

    is_local = False

    def __init__(self, url: str, part_bytes: int) -> None:
        self.root = url.rstrip("/")
        self.part_bytes = part_bytes
        self._scheme = urlsplit(url).scheme
        self._environment = cloud_environment()
        if self._scheme in {"s3", "s3a"}:
            _check_endpoint(self._environment.variables)
        with self._answering():
            self._store = _open(self.root)
        self._unfinished = UnfinishedUploads.of(self.root, self._environment.variables)

    def full(self, path: str) -> str:
        """Return an object's URL."""
        return f"{self.root}/{path}"

    def register(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Let DuckDB read through this client: its own would have to be downloaded first."""
        if not connection.filesystem_is_registered(self._scheme):
            connection.register_filesystem(self.files())

    def files(self) -> AbstractFileSystem:
        """Return the objects as an fsspec file system."""
        return RemoteFiles(self._scheme, self.root, self._store, self._answering)

    @contextlib.contextmanager
    def writing(self, path: str) -> Iterator[IO[bytes]]:
        """Upload: an object appears when its upload is complete."""
        upload = Upload(functools.partial(self._put, path), self.part_bytes)
        try:
            yield cast("IO[bytes]", upload)
            upload.complete()
        except BaseException:
            upload.abandon()
            self._unfinished.abort(path)
            raise

    def create(self, path: str, content: bytes) -> bool:
        """Put if there is none."""
        try:
            self._again(lambda: self._put(path, content, mode="create"))
        except FileExistsError:
            # Perhaps by an earlier attempt whose answer was lost: the caller compares.
            return False
        return True

    def sync(self, paths: Collection[str]) -> None:
        """Nothing to do: what a store has acknowledged is stored."""

    def chunks(self, path: str) -> Iterator[bytes]:
        """Read an object, in requests that a slow line can answer in time."""
        with self._answering():
            looked = look(self._store, path, CHUNK_BYTES)
            yield looked.first
            for start in range(CHUNK_BYTES, looked.size, CHUNK_BYTES):
                end = min(start + CHUNK_BYTES, looked.size)
                yield read_range(self._store, path, looked, start, end)

    def size(self, path: str) -> int | None:
        """Return an object's size."""
        try:
            with self._answering():
                return int(obstore.head(self._store, path)["size"])
        except FileNotFoundError:
            return None

    def sizes(self, folder: str) -> dict[str, int]:
        """List all objects, a thousand a request."""

        def ask() -> dict[str, int]:
            listed = obstore.list(self._store, folder or None)
            return {meta["path"]: meta["size"] for chunk in listed for meta in chunk}

        return self._again(ask)

    def list(self, folder: str) -> list[str]:
        """List the objects in a folder."""
        listed = self._again(lambda: obstore.list_with_delimiter(self._store, folder or None))
        # Some stores have an object of a folder's own name.
        return [meta["path"] for meta in listed["objects"] if meta["path"] not in {"", folder}]

    def remove(self, path: str) -> None:
        """Delete an object."""
        with self._answering(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, path)

    def clean(self, folder: str, grace_s: float) -> Sequence[str]:
        """Abort the uploads in parts of writers that were killed, where the store lists them."""
        return self._unfinished.abort_older(folder, grace_s)

    def _put(self, path: str, content: bytes | Iterator[bytes], **options: Any) -> None:
        with self._answering():
            obstore.put(self._store, path, content, **options)

    def _again(self, ask: Callable[[], Answer]) -> Answer:
        deadline = time.monotonic() + AGAIN_S
        while True:
            try:
                with self._answering():
                    return ask()
            except (FileExistsError, FileNotFoundError, PermissionError):
                raise
            except OSError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(AGAIN_PAUSE_S)

    @contextlib.contextmanager
    def _answering(self) -> Iterator[None]:
        """Say what the store said, in one line without secrets, as an OSError."""
        try:
            yield
        except AlreadyExistsError:
            raise FileExistsError("it is there already") from None
        except FileNotFoundError as error:
            raise FileNotFoundError(brief(error, self._environment.secrets)) from None
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise PermissionError(brief(error, self._environment.secrets)) from None
        except BaseError as error:
            said = brief(error, self._environment.secrets)
            raise (FileNotFoundError if "NoSuchBucket" in said else OSError)(said) from None


def _check_endpoint(environment: Mapping[str, str]) -> None:
    endpoint = urlsplit(next(filter(None, map(environment.get, ENDPOINTS)), ""))
    if endpoint.username or endpoint.password:
        raise SettingsError("the S3 endpoint names a user: keys belong into AWS_ACCESS_KEY_ID and its secret")
    if endpoint.scheme == "http" and "AWS_ALLOW_HTTP" not in environment:
        raise SettingsError(
            "the S3 endpoint is http://, where everybody on the way can read: set AWS_ALLOW_HTTP=true "
            "if it may be"
        )


@functools.cache
def _memory(url: str) -> MemoryStore:
    """Return a store that lives as long as this process, one per URL: for tests."""
    return MemoryStore()


def _open(url: str) -> ObjectStore:
    if url.startswith("memory:"):
        return _memory(url)
    return from_url(url, retry_config=RETRIES)
