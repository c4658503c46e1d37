"""Commands in processes of their own, as in production, and the most memory that each one took."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from activity_pipeline.errors import ActivityError

POLL_S = 0.05
PATIENCE_S = 60.0


def run_child(arguments: Sequence[str], environment: Mapping[str, str]) -> tuple[Any, int]:
    """Run a Python module to its end, in a folder that is gone afterwards.

    Args:
        arguments: The module and its arguments; it prints one JSON document.
        environment: Added to ours, which lends it none of its own settings.

    Returns:
        What it printed, and its peak memory in bytes.

    Raises:
        ActivityError: It failed; the message has the end of what it said.
    """
    with (
        tempfile.TemporaryDirectory(prefix="activity-bench-") as folder,
        (Path(folder) / "out").open("w+") as out,
        (Path(folder) / "err").open("w+") as err,
    ):
        work = Path(folder) / "work"
        work.mkdir()
        child = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            stdout=out,
            stderr=err,
            cwd=work,
            env=child_environment(environment, state=str(work)),
        )
        peak_bytes = 0
        try:
            while child.poll() is None:
                peak_bytes = max(peak_bytes, _peak_bytes(child.pid))
                time.sleep(POLL_S)
        finally:
            child.kill()  # does nothing where it has ended
            child.wait()
        if child.returncode:
            err.seek(0)
            said = err.read().strip()[-800:]
            raise ActivityError(f"{' '.join(arguments)} ended with {child.returncode}: {said}")
        out.seek(0)
        return json.load(out), peak_bytes


@contextlib.contextmanager
def working(
    command: Sequence[str], *, cwd: str | None = None, env: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Have a command work while the block runs, and end it by SIGTERM afterwards.

    Args:
        command: The command.
        cwd: Where it runs; by default here.
        env: Its environment; by default ours.

    Raises:
        ActivityError: It had ended before: what was measured beside it was measured alone.
    """
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=cwd, env=env)
    try:
        yield
        if child.poll() is not None:
            raise ActivityError(f"{' '.join(command[1:4])} ended by itself with {child.returncode}")
    finally:
        child.send_signal(signal.SIGTERM)  # does nothing where it has ended
        child.wait(PATIENCE_S)


def child_environment(added: Mapping[str, str], *, state: str) -> dict[str, str]:
    """Return the environment of a child whose settings are those added, and whose state lies in a folder."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("ACTIVITY_")}
    return {**ours, "ACTIVITY_STATE_DIR": state, **added}


def _peak_bytes(process_id: int) -> int:
    """Return the largest resident size that a process has had; rusage would count our own before exec."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{process_id}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return 0
