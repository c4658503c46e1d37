"""A cutover or a rollback that is killed anywhere goes on where it was, or all the way back."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from activity_pipeline.hot.connection import connect
from activity_pipeline.legacy.cutover import read_dropped
from activity_pipeline.legacy.plan import Plan
from activity_pipeline_tests.faults.children import READY_S, kill, start
from activity_pipeline_tests.faults.cutting import CRASHES, cut_and_die, restore_and_die, to_and_fro
from activity_pipeline_tests.integration.legacy.conftest import Legacy, legacy_dsn
from activity_pipeline_tests.waiting import wait_for

__all__ = ["legacy_dsn"]
OTHERS = "select count(*) from pg_stat_activity where datname = current_database()"
pytestmark = pytest.mark.faults


@pytest.fixture
def legacy(legacy_dsn: str) -> Iterator[Legacy]:
    with connect(legacy_dsn) as application, connect(legacy_dsn) as ours:
        yield Legacy(legacy_dsn, application, ours)


def die(target: Callable[..., None], *arguments: object) -> None:
    process = start(target, *arguments)
    process.join(READY_S)
    assert process.exitcode == -signal.SIGKILL
    process.close()


def agree(legacy: Legacy, plan: Plan, number: int) -> tuple[int, int]:
    """Return the triggers of a phase that are gone and that are there; the records say the same."""
    wait_for("the end of what the dead have begun", lambda: legacy.ours.execute(OTHERS).fetchone() == (2,))
    planned = {each.trigger.key for table in plan.phase(number).tables for each in table.triggers}
    gone = {each.planned.trigger.key for each in read_dropped(legacy.application)} & planned
    here = legacy.triggers() & planned
    assert gone | here == planned
    assert not gone & here
    return len(gone), len(here)


def test_a_killed_cutover_goes_on_or_back(legacy: Legacy) -> None:
    plan = legacy.ready()
    legacy.cut(plan, 1)
    before = legacy.schema()
    for crash in CRASHES:
        die(cut_and_die, legacy.dsn, plan, 2, crash)
        gone, here = agree(legacy, plan, 2)
        assert here
        if "later" in crash:
            assert gone
        assert legacy.cut(plan, 2) == here
        assert legacy.back(2) == gone + here
        assert legacy.triggers() >= {each.trigger.key for each in plan.phase(2).tables[0].triggers}
    die(cut_and_die, legacy.dsn, plan, 2, "inside a later table")
    gone, _ = agree(legacy, plan, 2)
    assert legacy.back(2) == gone > 0, "back without ever having been through"
    assert legacy.schema() == before


@pytest.mark.slow
def test_a_killed_rollback_goes_on(legacy: Legacy) -> None:
    plan = legacy.ready()
    legacy.cut(plan, 1)
    before = legacy.schema()
    for crash in CRASHES:
        legacy.cut(plan, 2)
        die(restore_and_die, legacy.dsn, 2, crash)
        gone, _ = agree(legacy, plan, 2)
        assert gone
        assert legacy.back(2) == gone
    assert legacy.schema() == before


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_killed_at_random_it_ends_the_same(legacy: Legacy, seed: int) -> None:
    chance = random.Random(seed)
    plan = legacy.ready()
    legacy.cut(plan, 1)
    before = legacy.schema()
    legacy.cut(plan, 2)
    after = legacy.schema()
    legacy.back(2)
    for _ in range(10):
        process = start(to_and_fro, legacy.dsn, plan, 2)
        time.sleep(chance.uniform(0.1, 1.5))
        kill(process)
        agree(legacy, plan, 2)
        if chance.random() < 0.5:
            legacy.cut(plan, 2)
            assert legacy.schema() == after
        else:
            legacy.back(2)
            assert legacy.schema() == before
