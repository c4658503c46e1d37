"""A server process: its log, its readiness and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local.folders import POLL_S
from activity_pipeline.local.user import ServerUser

LOG_TAIL_BYTES = 4096
# How long each of a server's stop signals may take before the next, harder one.
STOP_GRACE_S = (10.0, 5.0, 5.0)

# PG* and locale settings of the caller would change how the servers behave.
_KEPT_ENVIRONMENT = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")


@dataclass(frozen=True, slots=True)
class Server:
    """A running child of this process. `stop_signals` go from gentle to hard, one per grace period."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path
    stop_signals: tuple[signal.Signals, signal.Signals, signal.Signals]

    def wait_ready(self, probe: Callable[[], bool], deadline: float) -> None:
        """Poll `probe` until it holds.

        Raises:
            LocalStackError: the process ended, or time.monotonic() passed the deadline; carries
                the tail of the log.
        """
        while not probe():
            code = self.process.poll()
            if code is not None:
                raise failure(f"{self.name} ended with code {code} instead of starting", self.log)
            if time.monotonic() > deadline:
                raise failure(f"{self.name} was not ready in time", self.log)
            time.sleep(POLL_S)


def launch(
    command: Sequence[str | Path],
    *,
    user: ServerUser,
    log: Path,
    death_signal: signal.Signals,
    lock_fd: int,
    stdin: int = subprocess.DEVNULL,
) -> subprocess.Popen[bytes]:
    """Start `command` as `user` with its output appended to `log`.

    Args:
        command: program and arguments.
        user: whom the process runs as.
        log: the file that takes stdout and stderr.
        death_signal: what the process gets if this one dies.
        lock_fd: an inherited copy keeps the stack's lock until the last process is gone.
        stdin: as for subprocess.Popen.
    """
    log_fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=[lock_fd],
            cwd="/",
            env={key: os.environ[key] for key in _KEPT_ENVIRONMENT if key in os.environ}
            | {"LC_ALL": "C", "TZ": "UTC"},
            preexec_fn=user.in_child(death_signal),  # noqa: PLW1509 the supervisor has one thread
            **user.credentials(),
        )
    finally:
        os.close(log_fd)


def run_to_end(process: subprocess.Popen[bytes], deadline: float, text: bytes | None = None) -> int:
    """Wait for a helper process, give it `text` as its input, and return its exit code.

    Past the deadline (of time.monotonic()) the process is killed, and its code is negative.
    """
    with process:
        try:
            process.communicate(text, timeout=max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
        return process.wait()


def stop_all(servers: Iterable[Server]) -> None:
    """Stop the servers side by side, with harder signals to those that do not end in time."""
    running = list(servers)
    for attempt, grace_s in enumerate(STOP_GRACE_S):
        running = [server for server in running if server.process.poll() is None]
        for server in running:
            server.process.send_signal(server.stop_signals[attempt])
        deadline = time.monotonic() + grace_s
        while time.monotonic() < deadline and any(server.process.poll() is None for server in running):
            time.sleep(POLL_S)


def begin_log(log: Path) -> None:
    """Set the log of the start before aside as *.log.1, so that a tail tells of this start only."""
    if log.exists():
        log.replace(log.with_suffix(".log.1"))


def failure(message: str, log: Path) -> LocalStackError:
    """Return an error that ends with the tail of `log`, also kept as its attribute `log_tail`."""
    try:
        tail = log.read_bytes()[-LOG_TAIL_BYTES:].decode(errors="replace").strip()
    except FileNotFoundError:
        tail = ""
    return LocalStackError(f"{message}; the end of {log}:\n{tail}", log_tail=tail)
