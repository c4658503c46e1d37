"""Processes that a test may kill: they are forked from a server that has imported what they need."""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext, ForkServerProcess
from typing import Any

from activity_pipeline.archive import ArchiveStore, archive_days, expire_days, restore_days
from activity_pipeline.archive.chain import publish as chain
from activity_pipeline.archive.chain import sweep
from activity_pipeline.archive.days import compact as compaction
from activity_pipeline.archive.days import cycle, erase, export, rewrite
from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot import chain as hot_chain
from activity_pipeline.hot import days as hot
from activity_pipeline.hot import erasures, outbox, restored, subjects
from activity_pipeline.hot.connection import BulkConnection, connect, open_hot
from activity_pipeline.hot.dead_letters import Selection
from activity_pipeline.ingest import DrainConfig, drain, replay
from activity_pipeline.ingest.follow import follow
from activity_pipeline.ingest.replay import ReplayConfig
from activity_pipeline.ingest.reporting import DagsterReporter

READY_S = 30.0
S3_PART_BYTES = 5 * 1024 * 1024
"""The least that S3 takes."""


@functools.cache
def context() -> ForkServerContext:
    forking = multiprocessing.get_context("forkserver")
    forking.set_forkserver_preload([__name__])
    return forking


def start(target: Callable[..., None], *arguments: object) -> ForkServerProcess:
    """Start a process and return once it is about to begin with its work."""
    ready = context().Event()
    process = context().Process(target=_run, args=(ready, target, *arguments), daemon=True)
    process.start()
    assert ready.wait(READY_S)
    return process


def _run(ready: Any, target: Callable[..., None], *arguments: object) -> None:
    ready.set()
    target(*arguments)


def drain_forever(config: DrainConfig, archive_url: str) -> None:
    """Drain until killed."""
    drain(config, KnownEvents(ArchiveStore(archive_url)))


def drain_and_die(config: DrainConfig, archive_url: str, crash: str) -> None:
    """Drain an outbox and die of SIGKILL at a point of DRAIN_CRASHES."""
    DRAIN_CRASHES[crash]()
    drain(config, KnownEvents(ArchiveStore(archive_url)))


def drain_measured(config: DrainConfig, archive_url: str, peaks: Connection) -> None:
    """Drain until idle; send the largest resident size before and after, in bytes."""
    peaks.send(_peak_bytes())
    drain(config, KnownEvents(ArchiveStore(archive_url)))
    peaks.send(_peak_bytes())


def _peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def follow_until_told(config: DrainConfig, archive_url: str, dagster_url: str) -> None:
    """Follow until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    follow(
        config,
        KnownEvents(ArchiveStore(archive_url)),
        DagsterReporter(dagster_url),
        stop,
        report_interval_s=1.0,
    )


def replay_all(config: ReplayConfig, archive_url: str, letters_per_chunk: int) -> None:
    """Replay all open dead letters, a few at a time."""
    setattr(replay, "LETTERS_PER_CHUNK", letters_per_chunk)  # noqa: B010
    replay.replay_stored(config, Selection(), KnownEvents(ArchiveStore(archive_url)))


def archive(dsn: str, url: str, days: Sequence[date], crash: str) -> None:
    """Archive days and die of SIGKILL at a point of CRASHES."""
    CRASHES[crash]()
    with open_hot(dsn) as (statements, bulk):
        archive_days(statements, bulk, ArchiveStore(url), days)


def restore(dsn: str, url: str, days: Sequence[date], crash: str) -> None:
    """Restore days and die of SIGKILL at a point of RESTORE_CRASHES."""
    RESTORE_CRASHES[crash]()
    with open_hot(dsn) as (statements, bulk):
        list(restore_days(statements, bulk, ArchiveStore(url), days, timedelta(hours=1)))


def expire(dsn: str, now: datetime, crash: str, days_per_lock: int) -> None:
    """Drop restored days, so many in a transaction, and die of SIGKILL at a point of EXPIRE_CRASHES."""
    setattr(restored, "DAYS_PER_LOCK", days_per_lock)  # noqa: B010
    EXPIRE_CRASHES[crash]()
    with connect(dsn) as statements:
        expire_days(statements, now)


def compact(dsn: str, url: str, crash: str) -> None:
    """Compact, sweeping at once, and die of SIGKILL at a point of COMPACTION_CRASHES."""
    COMPACTION_CRASHES[crash]()
    _sweep_at_once()
    with connect(dsn) as statements:
        list(compaction.compact(statements, ArchiveStore(url), min_files=2))


def archive_on_a_small_disk(
    dsn: str, url: str, days: Sequence[date], largest_bytes: int, errors: Connection
) -> None:
    """Archive and compact where no file can grow beyond a size; send the class and text of what is raised."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest_bytes, resource.RLIM_INFINITY))
    store = ArchiveStore(url)
    with open_hot(dsn) as (statements, bulk):
        for operation in (
            lambda: archive_days(statements, bulk, store, days),
            lambda: list(compaction.compact(statements, store, min_files=2)),
        ):
            try:
                operation()
            except Exception as error:
                errors.send((type(error).__name__, str(error)))
    errors.send(None)


def archive_forever(dsn: str, url: str, edge: date) -> None:
    """Archive the days before `edge` as they become due, and compact, until killed."""
    _sweep_at_once()
    store = ArchiveStore(url)
    with open_hot(dsn) as (statements, bulk):
        while not hot_chain.try_lock(statements):
            time.sleep(0.01)  # Postgres has yet to see that the one before was killed
        hot_chain.unlock(statements)
        while True:
            archive_days(statements, bulk, store, hot.due_days(statements, hot_since=edge))
            list(compaction.compact(statements, store, min_files=2))


def _sweep_at_once() -> None:
    setattr(compaction, "GRACE_S", 0.0)  # noqa: B010


def erase_and_die(dsn: str, url: str, subject: Subject, crash: str) -> None:
    """Erase a subject and die of SIGKILL at a point of ERASE_CRASHES."""
    ERASE_CRASHES[crash]()
    with connect(dsn) as statements:
        request = erase.Request(subject, "request 17", "tester")
        erase.erase(statements, ArchiveStore(url), request, lambda _: [])


def write_and_die(environment: Mapping[str, str], url: str, path: str, pieces: Sequence[bytes]) -> None:
    """Write pieces of a file to an archive and die of SIGKILL before it is complete."""
    os.environ.update(environment)
    with ArchiveStore(url, part_bytes=S3_PART_BYTES).writing(path) as stream:
        for piece in pieces:
            stream.write(piece)
        _die()


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str) -> None:
    setattr(owner, name, lambda *_, **__: _die())


def _after(owner: Any, name: str, *, call: int = 1) -> None:
    """Die after the n-th call of a function."""
    original, calls = getattr(owner, name), itertools.count(1)

    def dying(*arguments: Any, **options: Any) -> Any:
        result = original(*arguments, **options)
        if next(calls) == call:
            _die()
        return result

    setattr(owner, name, dying)


def _while_writing(*, file: int) -> None:
    """Die when so many files are written; 0 for all of them."""
    original = getattr(export, "write_days")  # noqa: B009 the name that export_days looks up

    def dying(*arguments: Any) -> Iterator[date]:
        for number, day in enumerate(original(*arguments), 1):
            if number == file:
                _die()
            yield day
        _die()

    setattr(export, "write_days", dying)  # noqa: B010


def _at_query(module: Any, query: str, *, call: int = 1) -> None:
    """Die when a module is about to run a named query for the n-th time, within its transaction."""
    calls = itertools.count(1)

    class Dying(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            if name == query and next(calls) == call:
                _die()
            return super().__getitem__(name)

    module._SQL = Dying(module._SQL)


CRASHES: dict[str, Callable[[], None]] = {
    "freeze": lambda: _after(hot, "freeze"),
    "drop known": lambda: _after(hot, "drop_known"),
    "first file": lambda: _while_writing(file=1),
    "write": lambda: _while_writing(file=0),
    "verify": lambda: _after(export, "describe_files"),
    "sync files": lambda: _after(ArchiveStore, "sync"),
    "first manifest": lambda: _after(chain, "publish"),
    "publish": lambda: _after(ArchiveStore, "sync", call=2),
    "inside mark": lambda: _at_query(hot_chain, "mark_exported"),
    "mark": lambda: _before(cycle, "retire_days"),
    "inside retire": lambda: _at_query(hot, "mark_archived"),
    "retire": lambda: _after(hot, "retire"),
}
"""Where an archive process can be told to kill itself: the rows of the table in archive/days/cycle.py."""

RESTORE_CRASHES: dict[str, Callable[[], None]] = {
    "load": lambda: _at_query(restored, "content"),
    "check": lambda: _at_query(restored, "index"),
    "index": lambda: _at_query(restored, "lock_routes"),
    "attach": lambda: _at_query(restored, "drop_known"),
    "note": lambda: _before(BulkConnection, "commit"),
    "commit": lambda: _after(restored.Restoring, "attach"),
}
"""Where a restore can be told to kill itself: the rows of the table in archive/days/restore.py."""

EXPIRE_CRASHES: dict[str, Callable[[], None]] = {
    "inside drop": lambda: _at_query(restored, "drop", call=2),
    "drop": lambda: _after(restored, "_drop_step"),
}
"""Where an expiry can be told to kill itself."""


def _while_compacting() -> None:
    """Die when a part of the new file is written."""
    original = getattr(compaction, "write_file")  # noqa: B009 the name that compact looks up

    def dying(store: ArchiveStore, path: str, batches: Iterator[Any], **options: Any) -> None:
        original(store, path, itertools.chain(batches, iter(_die, 0)), **options)

    setattr(compaction, "write_file", dying)  # noqa: B010


COMPACTION_CRASHES: dict[str, Callable[[], None]] = {
    "first removal": lambda: _after(ArchiveStore, "remove"),
    "sweep": lambda: _after(compaction, "sweep"),
    "half a file": _while_compacting,
    "write": lambda: _after(compaction, "write_file"),
    "verify": lambda: _after(compaction, "describe_files"),
    "sync file": lambda: _after(ArchiveStore, "sync"),
    "publish": lambda: _after(chain, "publish"),
    "sync manifest": lambda: _after(ArchiveStore, "sync", call=2),
    "note": lambda: _after(hot_chain, "note_replaced"),
    "second publish": lambda: _after(chain, "publish", call=2),
    "all but the head": lambda: _before(chain.Chain, "note_head"),
}
"""Where a compaction can be told to kill itself: the rows of the table in archive/days/compact.py."""


DRAIN_CRASHES: dict[str, Callable[[], None]] = {
    "taken": lambda: _before(outbox, "store_batch"),
    "stored": lambda: _before(outbox.OutboxClaim, "delete"),
    "deleted": lambda: _after(outbox.OutboxClaim, "delete"),
}
"""Where the drain of an outbox can be told to kill itself."""


ERASE_CRASHES: dict[str, Callable[[], None]] = {
    "retire": lambda: _after(erase, "retire_days"),
    "begin": lambda: _after(erasures, "begin"),
    "inside delete": lambda: _after(subjects, "note_erased"),
    "delete": lambda: _after(subjects, "erase_rows"),
    "first file": lambda: _after(rewrite, "write_file"),
    "write": lambda: _after(erase, "rewrite"),
    "receipt": lambda: _after(chain.Chain, "write"),
    "publish": lambda: _after(chain.Chain, "publish"),
    "note": lambda: _after(subjects, "erase_copies"),
    "inside sweep": lambda: _after(ArchiveStore, "remove", call=8),
    "sweep": lambda: _after(sweep, "sweep"),
    "vacuum": lambda: _before(erasures, "finish"),
}
"""Where an erasure can be told to kill itself: the rows of the table in archive/days/erase.py."""


def kill(process: ForkServerProcess) -> None:
    """Kill a process with SIGKILL and wait for its end."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    process.join(READY_S)
    assert process.exitcode == -signal.SIGKILL
    process.close()
