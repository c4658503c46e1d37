"""Servers of a test's own, to be killed and started again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.migrations import migrate
from activity_pipeline.local import LocalStack
from activity_pipeline_tests.waiting import wait_for

DEADLINE_S = 60.0


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[LocalStack]:
    with LocalStack(tmp_path / "state") as stack:
        with connect(stack.postgres_dsn) as connection:
            migrate(connection)
        yield stack


def restart(stack: LocalStack) -> None:
    """Start the stack again; its supervisor takes a moment to see that a server has died."""
    dead = stack.servers.supervisor_pid
    wait_for("a new supervisor", lambda: stack.start().servers.supervisor_pid != dead)
