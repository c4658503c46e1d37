"""Taking a lease: join the running stack, or start it.

A lease is a connection to the supervisor's socket, and nothing else. The kernel closes it when
its holder ends, however it ends, so no count of holders can go wrong.

The starter hands one end of a socket pair to the supervisor: the stack has its first holder
before it exists, and cannot stop between its start and a first connection. A holder that joins
is in once the supervisor has greeted it; one that connects while the stack is stopping gets no
greeting, and starts the next stack, which waits for the servers of the last one to end.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local.folders import StateFolder, find_run_folder, locked, open_state_folder
from activity_pipeline.local.server import failure

CONTROL_SOCKET = "control.sock"
# What the supervisor may need past the deadline to stop what it started and report why.
REPORT_GRACE_S = 25.0


@dataclass(frozen=True, slots=True)
class Servers:
    """Where the servers of a running stack are, as the supervisor tells in its greeting."""

    postgres_sockets: str
    redis_socket: str
    supervisor_pid: int
    postgres_pid: int
    redis_pid: int

    def greeting(self) -> bytes:
        """Return the line that tells a holder that it is one."""
        return json.dumps({"servers": asdict(self)}).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class Lease:
    """A connection that keeps the servers running while it is open."""

    connection: socket.socket
    servers: Servers

    def is_alive(self) -> bool:
        """Tell at once whether the supervisor still holds its end."""
        self.connection.setblocking(False)
        try:
            return self.connection.recv(1, socket.MSG_PEEK) != b""
        except BlockingIOError:
            return True
        except OSError:
            return False

    def give_back(self, timeout_s: float) -> None:
        """End the lease; if it was the last one, wait until the servers have ended.

        Raises:
            LocalStackError: they had not ended after `timeout_s` seconds.
        """
        with self.connection as connection:
            connection.settimeout(timeout_s)
            try:
                connection.shutdown(socket.SHUT_WR)
                connection.recv(1)
            except TimeoutError:
                raise LocalStackError(f"the servers did not stop within {timeout_s:.0f} s") from None
            except OSError:
                return  # a supervisor that was killed took its servers with it


def report(error: Exception) -> bytes:
    """Return the line that tells the starter why the stack did not start."""
    return json.dumps({"error": str(error), "log_tail": getattr(error, "log_tail", "")}).encode() + b"\n"


def take_lease(state: Path, *, timeout_s: float, user_namespaces: bool) -> Lease:
    """Join the stack of `state`, or start it.

    Args:
        state: the state folder; created if missing.
        timeout_s: how long to wait for other starters and for the servers, in seconds.
        user_namespaces: False starts Postgres as if the kernel refused them.

    Raises:
        LocalStackError: the stack does not start; carries the tail of the server's log.
    """
    deadline = time.monotonic() + timeout_s
    folder = open_state_folder(state)
    with locked(folder.start_lock, deadline):
        return _join(folder, deadline) or _start(folder, deadline, user_namespaces=user_namespaces)


def _join(folder: StateFolder, deadline: float) -> Lease | None:
    run = find_run_folder(folder)
    if not run.exists():
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(max(0.1, deadline - time.monotonic()))
        connection.connect(str(run / CONTROL_SOCKET))
        servers = _read_greeting(connection)
    except TimeoutError:
        connection.close()
        raise failure("the supervisor does not answer", folder.log("supervisor")) from None
    except (FileNotFoundError, ConnectionError):
        servers = None
    except BaseException:
        connection.close()
        raise
    if servers is None:
        connection.close()
        return None
    return Lease(connection, servers)


def _start(folder: StateFolder, deadline: float, *, user_namespaces: bool) -> Lease:
    connection, far_end = socket.socketpair()
    try:
        with far_end:
            _spawn_supervisor(folder, far_end.fileno(), deadline, user_namespaces=user_namespaces)
        connection.settimeout(max(0.1, deadline - time.monotonic()) + REPORT_GRACE_S)
        servers = _read_greeting(connection)
        if servers is None:
            raise failure("the supervisor ended without a report", folder.log("supervisor"))
    except TimeoutError:
        connection.close()
        raise failure("the supervisor does not answer", folder.log("supervisor")) from None
    except BaseException:
        connection.close()
        raise
    return Lease(connection, servers)


def _spawn_supervisor(folder: StateFolder, lease_fd: int, deadline: float, *, user_namespaces: bool) -> None:
    # What this process can import, the supervisor can: its own path would depend on how we run.
    package_parent = str(Path(__file__).resolve().parents[2])
    search_path = [package_parent, *(entry for entry in sys.path if entry)]
    log_fd = os.open(folder.log("supervisor"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        # It forks itself away at once and leaves no child behind, so this returns at once.
        subprocess.run(
            [
                sys.executable,
                "-P",
                "-m",
                "activity_pipeline.local.supervisor",
                str(folder.root),
                f"--lease-fd={lease_fd}",
                f"--timeout-s={deadline - time.monotonic():.3f}",
                *([] if user_namespaces else ["--no-user-namespaces"]),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log_fd,
            stderr=log_fd,
            pass_fds=[lease_fd],
            cwd="/",
            env=os.environ | {"PYTHONPATH": os.pathsep.join(search_path)},
            start_new_session=True,
            check=False,
        )
    finally:
        os.close(log_fd)


def _read_greeting(connection: socket.socket) -> Servers | None:
    """Read the supervisor's first line; None if it hung up before it said a word."""
    with connection.makefile("rb") as lines:
        line = lines.readline()
    if not line:
        return None
    message = json.loads(line)
    if "error" in message:
        raise LocalStackError(message["error"], log_tail=message["log_tail"])
    return Servers(**message["servers"])
