"""An erasure that is killed at any row of its crash table is finished: once, and with right counts."""

from __future__ import annotations

import signal
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from activity_pipeline.archive.days.compact import compact
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot.erasures import list_erasures
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import ERASE_CRASHES, READY_S, erase_and_die, start
from activity_pipeline_tests.faults.rows import each_row
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.integration.archive.erasing import by_place, erased, receipts, sound, traces

USER = UUID("0198c2f0-8a5e-7cc0-b0d1-3f2a9e5b7c11")
HE = Subject.user(USER)
LIVES = {"hot": 3, "archive": 9, "dead_letters": 1}


@pytest.fixture
def cold(running: Running) -> Cold:
    return Cold(running)


@pytest.mark.faults
@pytest.mark.parametrize("crash", each_row(ERASE_CRASHES, soon={"publish"}))
def test_it_is_finished(cold: Cold, crash: str) -> None:
    running = cold.running
    others = _lived(cold)
    _kill(running, crash)
    # The file that a writer was about to finish.
    (Path(running.store.root) / f"events/.part-9.parquet.{uuid4().hex}").write_bytes(USER.bytes)
    assert running.ledger().residual == 0
    is_published = crash in {"publish", "note", "inside sweep", "sweep", "vacuum"}
    if is_published:
        # Whoever comes next finishes it, without knowing whom it was about.
        list(compact(running.statements, running.store, min_files=99))
        assert list_erasures(running.statements, unfinished=True) == []
        assert len(cold.chain()) == 6
        sound(running)
    else:
        assert running.ledger().erased in {0, 3}
    others += cold.send(today(), 2)
    report = erased(running, HE)
    assert by_place(report) == ({} if is_published else LIVES)
    (receipt,) = receipts(running)
    assert receipt.subject.confirms(HE)
    taken: dict[str, int] = {}
    for each in receipt.taken:
        taken[each.place] = taken.get(each.place, 0) + each.rows
    assert taken == LIVES
    assert running.ledger().erased == 12
    assert [each.finished_at is not None for each in list_erasures(running.statements)] == [True]
    assert traces(running, USER) == []
    cold.check(others)
    sound(running)
    cold.archive()
    cold.check(others)
    sound(running)


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.parametrize("crash", ["publish"])
def test_the_same_command_tells_what_was_done_before_the_crash(cold: Cold, crash: str) -> None:
    _lived(cold)
    _kill(cold.running, crash)
    report = erased(cold.running, HE)
    assert by_place(report) == LIVES
    assert report.receipt in cold.running.store.list("receipts")
    assert traces(cold.running, USER) == []


@pytest.mark.faults
@pytest.mark.parametrize("crash", ["delete", pytest.param("receipt", marks=pytest.mark.slow)])
def test_other_operations_go_on_meanwhile(cold: Cold, crash: str) -> None:
    """What one of them archives of him since is found, too, by the command that finishes it."""
    others = _lived(cold)
    _kill(cold.running, crash)
    cold.send(cold.day(30), 2, user_id=str(USER))
    cold.archive()
    list(compact(cold.running.statements, cold.running.store, min_files=2))
    # One receipt may lie there already, which no manifest names.
    assert cold.running.ledger().residual == 0
    assert by_place(erased(cold.running, HE))["archive"] == LIVES["archive"] + 2
    assert traces(cold.running, USER) == []
    assert len(receipts(cold.running)) == 1
    cold.check(others)
    sound(cold.running)


def _lived(cold: Cold) -> list[UUID]:
    """Put events of his and of others into a file, a pack, an exported day, Postgres and the dead letters."""
    his = {"user_id": str(USER)}
    single, packed, exported = cold.day(20), cold.day(40), cold.day(1)
    for day in (packed, packed + ONE_DAY):
        cold.send_hot(day, 2, **his)
    others = cold.send(packed, 2)
    cold.archive()
    list(compact(cold.running.statements, cold.running.store, min_files=2))
    cold.send_hot(single, 3, **his)
    others += cold.send(single, 2)
    cold.archive()
    cold.send_hot(exported, 2, **his)
    others += cold.send(exported, 2)
    cold.export()
    cold.send(today(), 3, **his)
    cold.send(today(), 1, **his, colour="red")
    return others


def _kill(running: Running, crash: str) -> None:
    process = start(erase_and_die, running.settings.postgres_dsn, running.store.url, HE, crash)
    process.join(READY_S)
    assert process.exitcode == -signal.SIGKILL
    process.close()
