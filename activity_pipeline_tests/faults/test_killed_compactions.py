"""A compaction that is killed at any row of its crash table is finished by whatever comes next."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

import pytest

from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.archive.chain.index import files_of, newest_entries
from activity_pipeline.archive.chain.verify import verify
from activity_pipeline.archive.days import compact as compaction
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import COMPACTION_CRASHES, READY_S, compact, start
from activity_pipeline_tests.faults.rows import each_row
from activity_pipeline_tests.integration.archive.conftest import Cold


@pytest.fixture
def cold(running: Running, monkeypatch: pytest.MonkeyPatch) -> Cold:
    monkeypatch.setattr(compaction, "GRACE_S", 0.0)
    return Cold(running)


def compacted(cold: Cold) -> int:
    return len(list(compaction.compact(cold.running.statements, cold.running.store, min_files=2)))


def ready(cold: Cold) -> list[UUID]:
    """Leave three replaced files to be swept, and two groups of files worth compacting."""
    ids = [id_ for back in (5, 4, 3) for id_ in cold.send_hot(cold.day(back), 6)]
    cold.archive()
    assert compacted(cold) == 1
    ids += cold.send(cold.day(4), 3)
    ids += cold.send(cold.day(800), 3) + cold.send(cold.day(801), 3)
    cold.archive()
    return ids


def killed(cold: Cold, crash: str) -> None:
    process = start(compact, cold.running.settings.postgres_dsn, cold.running.store.url, crash)
    process.join(READY_S)
    assert process.exitcode == -signal.SIGKILL
    process.close()


def finished(cold: Cold, ids: Sequence[UUID]) -> None:
    """Check that all is well, and that no file is left but those that are listed."""
    assert compacted(cold) == 0
    cold.check(ids)
    store = cold.running.store
    assert verify(store, deep=True).faults == []
    assert disagreements(cold.running.statements, store) == []
    store.clean(grace_s=0)  # what any operation does an hour later: the head is written by each of them
    listed = {*files_of(newest_entries(store).values()), *store.list("manifests"), "head.json"}
    root = Path(store.root)
    assert {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()} == listed


@pytest.mark.faults
@pytest.mark.parametrize("crash", each_row(COMPACTION_CRASHES, soon={"publish"}))
def test_the_next_compaction_finishes(cold: Cold, crash: str) -> None:
    ids = ready(cold)
    killed(cold, crash)
    assert sorted(cold.stored().elements()) == sorted(ids)
    faults = verify(cold.running.store, deep=True).faults
    assert {fault.what for fault in faults} <= {"no manifest lists it"}
    compacted(cold)
    finished(cold, ids)


@pytest.mark.faults
@pytest.mark.parametrize("crash", each_row(["half a file", "publish"], soon={"publish"}))
def test_an_export_comes_first(cold: Cold, crash: str) -> None:
    ids = ready(cold)
    killed(cold, crash)
    ids += cold.send(cold.day(5), 2) + cold.send_hot(cold.day(1), 4)
    cold.archive()
    cold.check(ids)
    compacted(cold)
    finished(cold, ids)
