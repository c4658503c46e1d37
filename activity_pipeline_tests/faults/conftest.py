"""Servers of a test's own, to be killed and started again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.migrations import migrate
from activity_pipeline.local import LocalStack

DEADLINE_S = 60.0
POLL_S = 0.01


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


def wait_for(what: str, look: Callable[[], Any]) -> Any:
    """Poll until something is true, and return it."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {DEADLINE_S:.0f} s: {what}"
        time.sleep(POLL_S)
    return found
