"""Dagster's web server and daemon as children of this process, over the settings' servers."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from activity_pipeline.local.server import begin_log, failure
from activity_pipeline.local.services import dagster_environment
from activity_pipeline.local.user import calling_user
from activity_pipeline.settings import Settings

START_TIMEOUT_S = 90.0
STOP_TIMEOUT_S = 20.0
POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class DagsterServices:
    """Running services.

    Attributes:
        url: Address of the web pages and of GraphQL.
        process: `dagster dev`, parent of web server, daemon and code server, leader of their group.
        log: What all of them say.
    """

    url: str
    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def dagster_services(settings: Settings) -> Iterator[DagsterServices]:
    """Run web server and daemon while the block runs; yields once the pages answer.

    They are a process group of their own: a Ctrl-C in the terminal reaches this process alone,
    which then stops the group, runs included. If this process is killed, so are they (on Linux).

    Raises:
        LocalStackError: They do not start, with the end of their log.
    """
    log = settings.state_path / "log" / "dagster.log"
    log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    begin_log(log)
    url = f"http://127.0.0.1:{settings.webserver_port}"
    home = settings.state_path / "dagster"
    command = [sys.executable, "-m", "dagster", "dev", "--workspace", str(home / "workspace.yaml")]
    command += ["--host", "127.0.0.1", "--port", str(settings.webserver_port), "--log-level", "warning"]
    environment = {**os.environ, **dagster_environment(settings)}
    with log.open("ab") as output:
        log.chmod(0o600)
        process = subprocess.Popen(
            command,
            cwd=home,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            # Before any thread of ours runs; nothing in it allocates or takes a lock.
            preexec_fn=calling_user().in_child(signal.SIGTERM),  # noqa: PLW1509
        )
    try:
        _wait_ready(process, url, log)
        yield DagsterServices(url, process, log)
    finally:
        _stop_group(process)


def _wait_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not _answers(url):
        if process.poll() is not None:
            raise failure(f"dagster dev ended with code {process.returncode} instead of starting", log)
        if time.monotonic() > deadline:
            raise failure(f"{url} did not answer within {START_TIMEOUT_S:.0f} s", log)
        time.sleep(POLL_S)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/server_info", timeout=2.0) as reply:  # noqa: S310 - our own http URL
            return bool(reply.status == 200)
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
