"""The command line on the servers of the session."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from activity_pipeline.cli.main import run as run_here
from activity_pipeline.settings import Settings
from activity_pipeline_tests.conftest import Running

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(
    settings: Settings,
    running: Running,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run `activity-pipeline …` on this test's database, queue and archive.

    In this process, because starting one takes a second; with an input as a process of its own.
    """
    for name in [name for name in os.environ if name.startswith("ACTIVITY_")]:
        monkeypatch.delenv(name)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def run_command(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess[str]:
        if stdin is not None:
            command = [sys.executable, "-m", "activity_pipeline", *arguments]
            done = subprocess.run(command, input=stdin, capture_output=True, timeout=120, check=False)
            return subprocess.CompletedProcess(
                command, done.returncode, done.stdout.decode(), done.stderr.decode()
            )
        capsys.readouterr()
        code = run_here(list(arguments))
        said = capsys.readouterr()
        return subprocess.CompletedProcess(arguments, code, said.out, said.err)

    return run_command
