"""The spool: frames on the local disk while Redis is away.

One folder for each producer, `<queue>.<producer>.spool`, made when it is first needed and removed
when Redis has all of it. `<queue>` names the Redis that the frames are meant for, so that loggers
of several queues can share a spool. In it are segments, `00000001.segment` and so on, each deleted
as soon as it is replayed. The owner holds the folder with flock; one that nobody holds has lost
its owner, and the next logger on the host replays it. Local disks only: network file systems do
not keep such locks.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

from activity_pipeline.errors import SettingsError
from activity_pipeline.producer.segment import Segment, to_record

SUFFIX = ".spool"
SEGMENT_SUFFIX = ".segment"
SEGMENT_BYTES = 16 * 1024 * 1024
"""A segment is closed at this size, and with it the disk gets back as much at a time."""

_MEASURE_S = 1.0


class Position(NamedTuple):
    """A place between two records: the number of the segment and the offset in it, in bytes."""

    segment: int
    offset: int


class Page(NamedTuple):
    """Records read in one go.

    Attributes:
        entries: Stream entries in the order in which they were written.
        end: The position after the last of them.
        torn: Damaged stretches that were skipped.
    """

    entries: list[dict[bytes, bytes]]
    end: Position
    torn: int


class ProducerSpool:
    """The segments of one producer, held with flock until they are removed or let go.

    One thread at a time appends, and one reads and advances; they need not be the same.
    """

    def __init__(self, folder: SpoolFolder, path: Path, descriptor: int) -> None:
        """Take an open and locked folder; its records are still to be replayed."""
        self.path = path
        self._folder = folder
        self._descriptor = descriptor
        stems = (name.removesuffix(SEGMENT_SUFFIX) for name in os.listdir(descriptor))
        self._numbers = deque(sorted(int(stem) for stem in stems if stem.isdigit()))
        self._head = Position(self._numbers[0] if self._numbers else 1, 0)
        self._writing: Segment | None = None
        self._reading: tuple[int, Segment] | None = None

    @property
    def pending(self) -> bool:
        """Whether records are left to be replayed."""
        if len(self._numbers) > 1:
            return True
        return bool(self._numbers) and self._head.offset < self._size_bytes(self._numbers[0])

    def append(self, entry: Mapping[bytes, bytes]) -> Position:
        """Write one record; return the position after it.

        Raises:
            OSError: The disk did not take it, or the spool is full (EDQUOT). All is as it was before.
        """
        record = to_record(entry)
        self._folder.claim(len(record))
        if self._writing is None or self._writing.size_bytes >= SEGMENT_BYTES:
            number = self._numbers[-1] + 1 if self._numbers else 1
            segment = Segment(self._descriptor, _segment_name(number))
            if self._writing is not None:
                self._writing.close()
            self._writing = segment
            self._numbers.append(number)
        self._writing.append(record)
        return Position(self._numbers[-1], self._writing.size_bytes)

    def read(self, max_bytes: int) -> Page:
        """Read records from the head on, up to about `max_bytes`; the head stays where it is."""
        number, offset = self._head
        if self._reading is None or self._reading[0] != number:
            self._stop_reading()
            self._reading = (number, Segment(self._descriptor, _segment_name(number)))
        segment = self._reading[1]
        segment.size_bytes = self._size_bytes(number)
        entries, end, torn = segment.read(offset, max_bytes)
        return Page(entries, Position(number, end), torn)

    def advance(self, head: Position) -> None:
        """Note that Redis has every record before `head`; delete the segments that lie before it."""
        self._head = max(self._head, head)
        # The last one stays: someone may be appending to it.
        while len(self._numbers) > 1 and (
            self._numbers[0] < self._head.segment or self._head.offset >= self._size_bytes(self._numbers[0])
        ):
            number = self._numbers[0]
            os.unlink(_segment_name(number), dir_fd=self._descriptor)
            self._numbers.popleft()
            self._head = max(self._head, Position(self._numbers[0], 0))

    def remove(self) -> None:
        """Delete everything and let the folder go."""
        # Removed while locked, so that nobody can adopt what was replayed.
        for number in self._numbers:
            os.unlink(_segment_name(number), dir_fd=self._descriptor)
        with suppress(OSError):
            self.path.rmdir()
        self.close()

    def close(self) -> None:
        """Let the folder go; what was not replayed waits for the next logger."""
        self._stop_reading()
        if self._writing is not None:
            self._writing.close()
        os.close(self._descriptor)

    def _size_bytes(self, number: int) -> int:
        if self._writing is not None and number == self._numbers[-1]:
            return self._writing.size_bytes
        return os.stat(_segment_name(number), dir_fd=self._descriptor).st_size

    def _stop_reading(self) -> None:
        if self._reading is not None:
            self._reading[1].close()
            self._reading = None


def _segment_name(number: int) -> str:
    return f"{number:08}{SEGMENT_SUFFIX}"


class SpoolFolder:
    """The spool of one user on this host, and which part of it concerns this queue."""

    def __init__(self, path: Path, queue: str, max_bytes: int) -> None:
        """Name it; nothing is made before it is needed.

        Args:
            path: The folder; made with mode 0700.
            queue: Name of the Redis that the frames are meant for, safe in a file name.
            max_bytes: Most bytes that all producers together keep here. Each counts its own and looks
                at the others' every second, so it may be exceeded by what they write in that time.
        """
        self.path = path
        self._queue = queue
        self._max_bytes = max_bytes
        self._used_bytes = 0
        self._measure_at = 0.0

    def create(self, producer: str) -> ProducerSpool:
        """Make and hold the folder of one producer.

        Raises:
            OSError: It cannot be made or written, or is not ours.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.mkdir(mode=0o700, exist_ok=True)
        path = self.path / f"{self._queue}.{producer}{SUFFIX}"
        while True:
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
            # Waits only where another logger looks at the new folder before it is held. That one
            # finds it empty and removes it: then it is made again.
            with suppress(FileNotFoundError):
                return ProducerSpool(self, path, _hold(path, fcntl.LOCK_EX))

    def orphans(self) -> Iterator[ProducerSpool]:
        """Hold and yield what each producer left whose process is gone, oldest producer first."""
        for path in sorted(self.path.glob(f"{self._queue}.*{SUFFIX}")):
            with suppress(OSError):  # held, removed meanwhile, or not ours
                yield ProducerSpool(self, path, _hold(path, fcntl.LOCK_EX | fcntl.LOCK_NB))

    def claim(self, size_bytes: int) -> None:
        """Count bytes that are about to be written.

        Raises:
            OSError: With EDQUOT: they would go beyond the limit.
        """
        now = time.monotonic()
        if now >= self._measure_at:
            self._used_bytes = sum(measure(self.path))
            self._measure_at = now + _MEASURE_S
        if self._used_bytes + size_bytes > self._max_bytes:
            raise OSError(errno.EDQUOT, f"it holds its limit of {self._max_bytes:,} bytes")
        self._used_bytes += size_bytes


def measure(path: Path) -> list[int]:
    """Return the size of each producer's folder in a spool, in bytes."""
    sizes: list[int] = []
    for producer in path.iterdir():
        with suppress(OSError):  # replayed meanwhile, or not ours to read
            sizes.append(sum(file.lstat().st_size for file in producer.iterdir()))
    return sizes


def _hold(path: Path, lock: int) -> int:
    """Return the folder, open and locked; raises OSError where it is held, gone or another user's."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, lock)
        status = os.fstat(descriptor)
        if status.st_uid != os.geteuid():
            # Another user's folder could speak in our name.
            raise PermissionError(errno.EPERM, "it belongs to another user", str(path))
        if not os.path.samestat(status, path.lstat()):
            raise FileNotFoundError(errno.ENOENT, "it was removed and made again", str(path))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def queue_name(url: str) -> str:
    """Return a name for the Redis behind a URL, without its credentials: passwords change.

    Raises:
        SettingsError: It is not a URL of a Redis.
    """
    try:
        parts = urlsplit(url)
        address = (
            parts.hostname or "localhost",
            parts.port or 6379,
            parts.path,
            parse_qs(parts.query).get("db"),
        )
    except ValueError as error:
        raise SettingsError(f"the Redis URL is malformed: {error}") from error
    if parts.scheme not in {"redis", "rediss", "unix"}:
        raise SettingsError("the Redis URL must start with redis://, rediss:// or unix://")
    return hashlib.sha256(repr(address).encode()).hexdigest()[:16]
