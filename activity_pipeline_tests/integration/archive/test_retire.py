"""Days leave Postgres whoever else is at work, and whichever other day is bad; never past the gate."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import date
from functools import partial

import pytest

from activity_pipeline.archive import retire_days
from activity_pipeline.archive.days import retire
from activity_pipeline.errors import GateError, StoreBusyError
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline_tests.integration.archive.conftest import Cold


@pytest.fixture
def other(cold: Cold) -> Iterator[Statements]:
    """Another session, with a transaction open."""
    with connect(cold.running.settings.postgres_dsn) as session:
        session.execute("begin")
        yield session


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hot, "retire", partial(hot.retire, lock_timeout_s=0.05))


@pytest.mark.usefixtures("impatient")
def test_a_session_that_lets_go_is_waited_for(
    cold: Cold, other: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = cold.day(1)
    ids = cold.send_hot(day)
    cold.export()
    other.execute("select count(*) from activity_logs_current")
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 2:
            other.rollback()

    monkeypatch.setattr("activity_pipeline.archive.days.retire.time.sleep", pause)
    assert retire_days(cold.running.statements, cold.running.store, [day]) == [day]
    assert pauses == list(retire.PAUSES_S[:2])
    cold.check(ids)


@pytest.mark.usefixtures("impatient")
def test_a_session_that_never_lets_go_keeps_both_copies(cold: Cold, other: Statements) -> None:
    days = [cold.day(2), cold.day(1)]
    ids = [id_ for day in days for id_ in cold.send_hot(day)]
    cold.export()
    other.execute("select count(*) from activity_logs_current")
    with pytest.raises(StoreBusyError, match=f"{days[0]} to {days[1]}: nothing was dropped") as caught:
        retire_days(cold.running.statements, cold.running.store, days, pauses_s=[0, 0])
    assert caught.value.pids == [other.info.backend_pid]  # type: ignore[attr-defined]
    assert set(cold.running.states().values()) == {"exported"}
    cold.check([*ids, *ids])
    # Events go on arriving meanwhile, and the next run ends well.
    ids += cold.send(cold.day(-1))
    other.rollback()
    assert cold.archive() == []
    cold.check(ids)


def while_retiring(cold: Cold, day: date, act: Callable[[], None]) -> Future[list[date]]:
    """Retire a day in a thread, and act as soon as it waits for a lock."""
    with ThreadPoolExecutor(1) as pool, connect(cold.running.settings.postgres_dsn) as watcher:
        retiring = pool.submit(retire_days, cold.running.statements, cold.running.store, [day])
        while watcher.execute("select from pg_locks where not granted").fetchone() is None:
            assert not retiring.done(), retiring.result()
        act()
    return retiring


@pytest.mark.parametrize("table", ["activity_logs_current", "activity_logs_late"])
def test_a_row_that_is_changed_between_hash_and_drop_is_not_lost(
    cold: Cold, other: Statements, table: str
) -> None:
    day = cold.day(1)
    ids = (cold.send_hot if table == "activity_logs_current" else cold.send)(day)
    cold.export()
    change = {
        "activity_logs_current": "update activity_logs_current set action = 'changed' where id = %s",
        "activity_logs_late": "update activity_logs_late set action = 'changed' where id = %s",
    }
    other.execute(change[table], [ids[0]])
    with pytest.raises(GateError) as caught:
        while_retiring(cold, day, other.commit).result()
    assert caught.value.day == day  # type: ignore[attr-defined]
    assert cold.running.states()[day] == "exported"
    cold.check([*ids, *ids])


def test_two_who_retire_the_same_days(cold: Cold) -> None:
    days = [cold.day(back) for back in (4, 3, 2, 1)]
    ids = [id_ for day in days for id_ in cold.send_hot(day)]
    cold.export()
    barrier = threading.Barrier(2)

    def retire_them() -> list[date]:
        with connect(cold.running.settings.postgres_dsn) as statements:
            barrier.wait()
            return retire_days(statements, cold.running.store, days)

    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(retire_them) for _ in range(2)]
    assert sorted(day for each in both for day in each.result()) == days
    cold.check(ids)
