from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from activity_pipeline.local import LocalStack
from activity_pipeline_tests.integration.local.processes import assert_nothing_runs


@pytest.fixture
def state() -> Iterator[Path]:
    """A state folder, not yet there, below a folder closed to others; at the end nothing may run in it."""
    parent = Path(tempfile.mkdtemp(prefix="stack-"))
    try:
        yield parent / "state"
        assert_nothing_runs(parent / "state")
    finally:
        shutil.rmtree(parent)


@pytest.fixture
def stack(state: Path) -> Iterator[LocalStack]:
    with LocalStack(state) as stack:
        yield stack
