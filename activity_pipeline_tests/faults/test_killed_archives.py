"""An archive run that is killed at any row of its crash table is finished by the next one."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import CRASHES, READY_S, archive, start
from activity_pipeline_tests.faults.rows import each_row
from activity_pipeline_tests.integration.archive.conftest import Cold


@pytest.fixture
def cold(running: Running) -> Iterator[Cold]:
    yield Cold(running)


LEFT = {"mark": "exported", "inside retire": "exported", "retire": "archived"}
"""The state of the newest day after a crash, where it is not frozen."""


@pytest.mark.faults
@pytest.mark.parametrize("crash", each_row(CRASHES, soon={"publish", "inside retire"}))
def test_the_next_run_finishes(cold: Cold, crash: str) -> None:
    hot_day, late_day, known_day = cold.day(1), cold.day(50), cold.day(60)
    ids = cold.send(known_day, 6)
    cold.archive()
    # Stored late while the archive was away: five known events and one new one.
    manifests = Path(cold.running.store.root) / "manifests"
    manifests.rename(manifests.with_name("away"))
    cold.sent = 0
    cold.send(known_day, 6)
    ids += cold.send(known_day, 1)
    manifests.with_name("away").rename(manifests)
    ids += cold.send_hot(hot_day, 20)
    ids += cold.send(late_day, 10)
    killed(cold, crash)
    assert cold.running.states()[hot_day] == LEFT.get(crash, "frozen")
    assert set(cold.stored()) == set(ids)
    ids += cold.send(hot_day, 3)
    cold.archive()
    cold.archive()
    cold.check(ids)
    assert cold.due() == []
    assert set(cold.running.states().values()) == {"archived"}
    assert disagreements(cold.running.statements, cold.running.store) == []
    root = Path(cold.running.store.root)
    listed = {root / file.path for day in cold.running.states() for file in cold.newest(day).files}
    assert set(root.glob("events/*/*.parquet")) == listed


def killed(cold: Cold, crash: str) -> None:
    """Archive all due days in a process that dies at `crash`."""
    process = start(archive, cold.running.settings.postgres_dsn, cold.running.store.url, cold.due(), crash)
    process.join(READY_S)
    assert process.exitcode == -signal.SIGKILL
    process.close()
