"""What fails under the archive's feet: disk, files and Postgres; nothing half done is ever published."""

from __future__ import annotations

import multiprocessing
import os
import select
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from activity_pipeline.archive import ArchiveStore, archive_days
from activity_pipeline.archive.chain.verify import verify
from activity_pipeline.archive.days import compact as compaction
from activity_pipeline.archive.days import export
from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.errors import ActivityError, ArchiveError, GateError, StoreError
from activity_pipeline.events.days import today
from activity_pipeline.events.frame import Frame
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import connect, open_hot
from activity_pipeline.hot.ledger import read_ledger
from activity_pipeline.ingest import DrainConfig, drain
from activity_pipeline.local import LocalStack
from activity_pipeline.queue.append import append
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import READY_S, archive_on_a_small_disk, start
from activity_pipeline_tests.faults.conftest import DEADLINE_S, restart
from activity_pipeline_tests.faults.test_killed_compactions import finished
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.lines import lines

pytestmark = pytest.mark.faults


@pytest.fixture
def cold(running: Running, monkeypatch: pytest.MonkeyPatch) -> Cold:
    monkeypatch.setattr(compaction, "GRACE_S", 0.0)
    return Cold(running)


def left(cold: Cold) -> set[str]:
    """Return the files of the archive, those included that have no name yet."""
    root = Path(cold.running.store.root)
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def test_a_disk_that_is_full(cold: Cold) -> None:
    """Two days are in Parquet and a third one is due; neither it nor their pack fits on the disk."""
    ids = [id_ for back in (3, 2) for id_ in cold.send_hot(cold.day(back), 20)]
    cold.archive()
    ids += cold.send_hot(cold.day(1), 400)
    before = left(cold)
    largest = max(path.stat().st_size for path in Path(cold.running.store.root).rglob("*.parquet"))
    receiving, sending = multiprocessing.Pipe(duplex=False)
    settings = cold.running.settings
    with closing(receiving), closing(sending):
        process = start(
            archive_on_a_small_disk, settings.postgres_dsn, settings.archive_url, cold.due(), largest, sending
        )
        errors = []
        while receiving.poll(READY_S) and (error := receiving.recv()):
            errors.append(error)
        process.join(READY_S)
    assert [name for name, _ in errors] == ["ArchiveError", "ArchiveError"]
    assert f"the archive cannot write events/date={cold.day(1)}/part-1.parquet" in errors[0][1]
    assert "the archive cannot write events/packed/" in errors[1][1]
    assert left(cold) == before
    assert cold.running.states()[cold.day(1)] == "frozen"
    cold.archive()
    assert len(list(compaction.compact(cold.running.statements, cold.running.store, min_files=2))) == 1
    finished(cold, ids)


def test_a_manifest_that_cannot_be_written(cold: Cold, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before it are published and wait for the next run, which takes them as they are."""
    ids = [id_ for back in (3, 2, 1) for id_ in cold.send_hot(cold.day(back))]
    create = ArchiveStore.create

    def full(store: ArchiveStore, path: str, content: bytes) -> None:
        if path == f"manifests/{cold.day(2)}.1.json":
            raise ArchiveError(f"the archive cannot write {path}: no space left on device")
        create(store, path, content)

    with monkeypatch.context() as patched:
        patched.setattr(ArchiveStore, "create", full)
        with pytest.raises(ArchiveError, match="no space left"):
            cold.archive()
    assert set(cold.running.states().values()) == {"frozen"}
    with pytest.raises(ArchiveError, match="is half done: run the archive first"):
        list(compaction.compact(cold.running.statements, cold.running.store, min_files=2))
    ids += cold.send(cold.day(3), 2)
    cold.archive()
    cold.archive()
    list(compaction.compact(cold.running.statements, cold.running.store, min_files=2))
    finished(cold, ids)


def cut_off(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def clear(path: Path) -> None:
    path.write_bytes(b"")


def take_the_last(path: Path) -> None:
    """Put the rows of another day there, in a file that is sound."""
    path.write_bytes(max(path.parents[1].glob("*/*.parquet")).read_bytes())


@pytest.mark.parametrize(
    ("damage", "error"),
    [
        (cut_off, ArchiveError),
        (clear, ArchiveError),
        (Path.unlink, ArchiveError),
        (take_the_last, GateError),
    ],
)
def test_a_file_that_is_damaged_before_it_is_read_back(
    cold: Cold, monkeypatch: pytest.MonkeyPatch, damage: Callable[[Path], None], error: type[ActivityError]
) -> None:
    ids = [id_ for back in (2, 1) for id_ in cold.send_hot(cold.day(back))]
    write_days = export.write_days  # type: ignore[attr-defined]
    damaged = Path(cold.running.store.full(f"events/date={cold.day(2)}/part-1.parquet"))

    def damaging(store: ArchiveStore, rows: Any, paths: dict[date, str]) -> Iterable[date]:
        written = list(write_days(store, rows, paths))
        if cold.day(2) in written:
            damage(damaged)
        return written

    with monkeypatch.context() as patched:
        patched.setattr(export, "write_days", damaging)
        with pytest.raises(
            error, match=f"(cannot be read: .*{cold.day(2)})|({cold.day(2)}: Postgres holds 10 events)"
        ):
            cold.archive()
    assert not cold.running.store.exists(f"manifests/{cold.day(2)}.1.json")
    assert cold.running.states()[cold.day(2)] == "frozen"
    cold.archive()
    cold.check(ids)
    assert verify(cold.running.store, deep=True).faults == []


def while_exporting(act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Act when the first file is written and rows of the second day are still to come."""
    write_days = export.write_days  # type: ignore[attr-defined]

    def acting(*arguments: Any) -> Iterator[date]:
        for number, day in enumerate(write_days(*arguments)):
            if number == 0:
                act()
            yield day

    monkeypatch.setattr(export, "write_days", acting)


def while_retiring(act: Callable[[], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """Act when the rows are dropped and the transaction is about to commit."""

    class Acting(dict[str, Any]):
        def __getitem__(self, name: str) -> Any:
            if name == "mark_archived":
                act()
            return super().__getitem__(name)

    monkeypatch.setattr(hot, "_SQL", Acting(hot._SQL))


@pytest.mark.parametrize(
    ("kind", "when"),
    [
        (signal.SIGKILL, while_exporting),
        pytest.param(signal.SIGQUIT, while_exporting, marks=pytest.mark.slow),
        (signal.SIGQUIT, while_retiring),
    ],
)
def test_postgres_is_killed(
    own_stack: LocalStack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: signal.Signals, when: Any
) -> None:
    store = ArchiveStore(str(tmp_path / "archive"))
    days = [today() - timedelta(days=back) for back in (60, 50)]
    with connect(own_stack.postgres_dsn) as statements, connect_queue(own_stack.redis_url) as queue:
        for place, day in enumerate(days):
            statements.execute("select activity_create_day(%s)", [day])
            body = b"\n".join(lines(100 * place, 100, datetime.combine(day, datetime.min.time(), UTC)))
            append(queue, Shard(0), [Frame(body=body, count=100, producer="p", sequence=100 * place)])
    drain(DrainConfig(own_stack.redis_url, own_stack.postgres_dsn), KnownEvents(store))
    with (
        monkeypatch.context() as patched,
        pytest.raises(StoreError, match="Postgres"),
        open_hot(own_stack.postgres_dsn) as (statements, bulk),
    ):

        def kill() -> None:
            os.kill(own_stack.servers.postgres_pid, kind)
            # Our session ends a moment later, and says so.
            assert select.select([statements], [], [], DEADLINE_S)[0]

        when(kill, patched)
        archive_days(statements, bulk, store, days)
    restart(own_stack)
    with open_hot(own_stack.postgres_dsn) as (statements, bulk):
        assert {day.state for day in hot.list_days(statements, days)} == {
            "frozen" if when is while_exporting else "exported"
        }
        archive_days(statements, bulk, store, days)
        assert {day.state for day in hot.list_days(statements, days)} == {"archived"}
        ledger = read_ledger(statements)
        assert (ledger.residual, ledger.archived, ledger.hot) == (0, 200, 0)
    found = verify(store, deep=True)
    assert (found.faults, found.rows) == ([], 200)
