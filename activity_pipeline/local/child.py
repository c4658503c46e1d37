"""A service as a child of this process: started, waited for, and stopped with all that it started."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from activity_pipeline.local.server import begin_log, failure
from activity_pipeline.local.user import calling_user

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class Service:
    """A running web service.

    Attributes:
        name: What it is called.
        url: Its root.
        process: The leader of its process group.
        log: What all of them say.
    """

    name: str
    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def service(
    name: str,
    command: Sequence[str],
    *,
    url: str,
    probe: str,
    log: Path,
    cwd: Path,
    environment: Mapping[str, str],
) -> Iterator[Service]:
    """Run a web service while the block runs; yields once it answers.

    It is a process group of its own: a Ctrl-C in the terminal reaches this process alone, which then
    stops the group. If this process is killed, so is it (on Linux).

    Args:
        name: What it is called.
        command: Program and arguments.
        url: Its root.
        probe: Path that answers with a 2xx once it is ready.
        log: What it says; begun anew.
        cwd: Its working folder.
        environment: Its environment.

    Raises:
        LocalStackError: It does not start, with the end of its log.
    """
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    begin_log(log)
    with log.open("ab") as output:
        log.chmod(0o600)
        process = subprocess.Popen(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # Before any thread of ours runs; nothing in it allocates or takes a lock.
            preexec_fn=calling_user().in_child(signal.SIGTERM),  # noqa: PLW1509
        )
    try:
        _wait_ready(name, process, f"{url}{probe}", log)
        yield Service(name, url, process, log)
    finally:
        _stop_group(process)


def _wait_ready(name: str, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(url):
        if process.poll() is not None:
            raise failure(f"{name} ended with code {process.returncode} instead of starting", log)
        if time.monotonic() > deadline:
            raise failure(f"{url} did not answer within {START_TIMEOUT_S:.0f} s", log)
        time.sleep(POLL_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2.0) as reply:  # noqa: S310 - our own http URL
            status: int = reply.status
            return 200 <= status < 300
    except (urllib.error.URLError, OSError):
        return False


def _stop_group(process: subprocess.Popen[bytes]) -> None:
    """End the group gently, then by force; no member of it is left."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while time.monotonic() < deadline and _has_members(process):
        time.sleep(POLL_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _has_members(process: subprocess.Popen[bytes]) -> bool:
    process.poll()
    try:
        os.killpg(process.pid, 0)
    except ProcessLookupError:
        return False
    return True
