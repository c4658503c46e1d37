"""What a turn takes of the database: processor, WAL, pages written."""

from __future__ import annotations

import contextlib
import os
import resource
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
PATIENCE_S = 5.0
POLL_S = 0.02
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """What was taken.

    Attributes:
        postgres_s: Processor time of all processes of Postgres, in seconds.
        ours_s: That of this process and of its children, in seconds.
        wal_bytes: WAL.
        block_bytes: Pages of tables and indexes, the checkpoint at the end included.
    """

    postgres_s: float
    ours_s: float
    wal_bytes: float
    block_bytes: float

    def since(self, before: Usage) -> Usage:
        """Return what was taken since then."""
        return Usage(
            self.postgres_s - before.postgres_s,
            self.ours_s - before.ours_s,
            self.wal_bytes - before.wal_bytes,
            self.block_bytes - before.block_bytes,
        )


def read_usage(admin: Statements) -> Usage:
    """Read the counters, after a checkpoint.

    Args:
        admin: To a Postgres on this machine.
    """
    _checkpoint(admin)
    folder = admin.execute(_SQL["pid"]).fetchone()
    written = admin.execute(_SQL["written"]).fetchone()
    if folder is None or written is None:
        raise AssertionError("both return one row")
    postmaster = int((Path(folder[0]) / "postmaster.pid").read_text().split()[0])
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return Usage(
        _postgres_s(postmaster),
        own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime + _children_s(but=postmaster),
        float(written[0]),
        float(written[1]),
    )


def _checkpoint(admin: Statements) -> None:
    before = admin.execute(_SQL["checkpoints"]).fetchone()
    admin.execute(_SQL["checkpoint"])
    deadline = time.monotonic() + PATIENCE_S
    # What it has written is told a moment later.
    while admin.execute(_SQL["checkpoints"]).fetchone() == before and time.monotonic() < deadline:
        time.sleep(POLL_S)


def _postgres_s(postmaster: int) -> float:
    """Return processor time of the postmaster, of its children, and of those that have ended."""
    ticks = 0
    for process, parent, own, ended in _processes():
        if process == postmaster:
            ticks += own + ended
        elif parent == postmaster:
            ticks += own
    return ticks / _TICKS


def _children_s(*, but: int) -> float:
    """Return processor time of the children of this process that are at work, the servers left out."""
    children = [
        (process, own + ended) for process, parent, own, ended in _processes() if parent == os.getpid()
    ]
    return sum(ticks for process, ticks in children if process != but) / _TICKS


def _processes() -> Iterator[tuple[int, int, int, int]]:
    """Yield each process with its parent, its own ticks, and those of its children that have ended."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            # The name in brackets may hold anything; what follows are numbers.
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            parent, user, system, ended_user, ended_system = (int(fields[n]) for n in (1, 11, 12, 13, 14))
            yield int(entry.name), parent, user + system, ended_user + ended_system
