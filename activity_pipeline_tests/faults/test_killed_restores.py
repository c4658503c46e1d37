"""A restore or an expiry that is killed at any row of its crash table leaves nothing half done."""

from __future__ import annotations

import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from activity_pipeline.archive import expire_days
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import (
    EXPIRE_CRASHES,
    READY_S,
    RESTORE_CRASHES,
    archive,
    expire,
    restore,
    start,
)
from activity_pipeline_tests.faults.rows import each_row
from activity_pipeline_tests.integration.archive.conftest import Warm


@pytest.fixture
def warm(running: Running) -> Warm:
    return Warm(running)


@pytest.mark.faults
@pytest.mark.parametrize("crash", each_row(RESTORE_CRASHES, soon={"commit"}))
def test_the_next_restore_finishes(warm: Warm, crash: str) -> None:
    first, second = warm.day(2), warm.day(1)
    ids = warm.send_hot(first, 20) + warm.send_hot(second, 5)
    warm.archive()
    settings, url = warm.running.settings, warm.running.store.url
    killed(restore, settings.postgres_dsn, url, [first, second], crash)
    is_there = crash == "commit"
    warm.check_restored(ids[:20] if is_there else [])
    # Whatever comes next finds its way: a generation more, then the same restore.
    ids += warm.send(first, 3)
    warm.archive()
    warm.check_restored([*ids[:20], *ids[25:]] if is_there else [])
    assert [back.extended for back in warm.restore(first, second)] == [is_there, False]
    warm.check_restored(ids)


@pytest.mark.faults
@pytest.mark.parametrize("crash", EXPIRE_CRASHES)
@pytest.mark.parametrize("days_per_lock", each_row([1, 2, 50], soon={2}))
def test_the_next_expiry_finishes(warm: Warm, crash: str, days_per_lock: int) -> None:
    days = [warm.day(back) for back in (3, 2, 1)]
    ids = [id_ for day in days for id_ in warm.send_hot(day, 2)]
    warm.archive()
    warm.restore(*days)
    over = datetime.now(UTC) + timedelta(hours=2)
    killed(expire, warm.running.settings.postgres_dsn, over, crash, days_per_lock)
    # The second day of a lock of its own is about to be dropped, or the first lock has committed.
    gone = (1 if days_per_lock == 1 else 0) if crash == "inside drop" else min(days_per_lock, 3)
    warm.check_restored(ids[2 * gone :])
    assert expire_days(warm.running.statements, over) == days[gone:]
    warm.check_restored([])


@pytest.mark.faults
@pytest.mark.parametrize("crash", each_row(["mark", "inside retire", "retire"], soon={"inside retire"}))
def test_a_generation_joins_its_restored_day_once(warm: Warm, crash: str) -> None:
    day = warm.day(1)
    ids = warm.send_hot(day)
    warm.archive()
    warm.restore(day)
    ids += warm.send(day, 4)
    killed(archive, warm.running.settings.postgres_dsn, warm.running.store.url, [day], crash)
    warm.check_restored(ids)
    warm.archive()
    assert warm.running.count("activity_logs_late") == 0
    warm.check_restored(ids)


def killed(target: Callable[..., None], *arguments: object) -> None:
    """Run something in a process that dies of it."""
    process = start(target, *arguments)
    process.join(READY_S)
    assert process.exitcode == -signal.SIGKILL
    process.close()
