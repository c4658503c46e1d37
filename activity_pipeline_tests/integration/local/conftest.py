from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_pipeline.local import LocalStack
from activity_pipeline_tests.integration.local.processes import assert_nothing_runs

MEMORY = Path("/dev/shm")
ENOUGH_BYTES = 2**30


def closed_folder() -> Path:
    """Create a folder of mode 0700, in memory if there is room: the tests create many clusters."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > ENOUGH_BYTES
    return Path(tempfile.mkdtemp(prefix="stack-", dir=MEMORY if roomy else None))


@pytest.fixture
def new_state() -> Iterator[Path]:
    """A state folder that is not yet there, in a closed folder; at the end nothing may run in it."""
    parent = closed_folder()
    try:
        yield parent / "state"
        assert_nothing_runs(parent / "state")
    finally:
        shutil.rmtree(parent)


@pytest.fixture(scope="session")
def template() -> Iterator[Path]:
    """A state folder whose servers have run once."""
    parent = closed_folder()
    with LocalStack(parent / "state"):
        pass
    yield parent / "state"
    shutil.rmtree(parent)


@pytest.fixture
def state(new_state: Path, template: Path) -> Path:
    """A state folder of its own whose servers have run once: spares a test the time of initdb."""
    shutil.copytree(template, new_state, symlinks=True)
    return new_state


@pytest.fixture(scope="module")
def shared_stack() -> Iterator[LocalStack]:
    """A running stack for tests that only look."""
    parent = closed_folder()
    with LocalStack(parent / "state") as stack:
        yield stack
    shutil.rmtree(parent)
