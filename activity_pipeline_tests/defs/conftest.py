"""Dagster instances for the tests."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from activity_pipeline.definitions import activity_pipeline
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.defs.platform import Platform
from activity_pipeline_tests.defs.ticks import Ticks


@pytest.fixture
def platform(running: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Platform]:
    for name, value in running.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ACTIVITY_DRAIN_IDLE_S", "0")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Platform(running, instance, activity_pipeline())


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ticks]:
    for name in ("POSTGRES_DSN", "REDIS_URL", "ARCHIVE_URL"):
        monkeypatch.setenv(f"ACTIVITY_{name}", "nowhere: nothing is run here")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(instance)
