"""Runs commands as one group of processes, and leaves none of them behind.

    python guard.py < pipe    (one JSON list of [name, command] pairs on the first line)

The guard leads a session of its own, so its process id names everything that its children start,
Dagster's run workers included. It ends all of it when its stdin closes (its parent has ended,
however), when it is told to by SIGTERM or SIGINT, or when one of the commands ends by itself.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time

STOP_TIMEOUT_S = 10.0


def main() -> int:
    """Run until something asks for the end; return 1 where that was a command that ended by itself."""
    commands = json.loads(sys.stdin.readline())
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    threading.Thread(target=lambda: (sys.stdin.read(), stop.set()), daemon=True).start()
    children = {name: subprocess.Popen(command, stdin=subprocess.DEVNULL) for name, command in commands}
    ended: list[str] = []
    while not ended and not stop.wait(0.2):
        ended = [name for name, child in children.items() if child.poll() is not None]
    for name in ended:
        sys.stderr.write(f"{name} ended by itself with {children[name].returncode}\n")
    _end(list(children.values()))
    return 1 if ended else 0


def _end(children: list[subprocess.Popen[bytes]]) -> None:
    """Ask each child to end; end the whole group, this process too, where that is not enough."""
    for child in children:
        child.terminate()
    deadline = time.monotonic() + STOP_TIMEOUT_S
    while any(child.poll() is None for child in children) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    os.setsid()
    sys.exit(main())
