"""Processes of a stack, as the kernel sees them, and holders in processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import redis

import activity_pipeline
from activity_pipeline.local import LocalStack, Servers
from activity_pipeline_tests.waiting import wait_for

PACKAGE_PARENT = Path(activity_pipeline.__file__).resolve().parents[1]
DEADLINE_S = 20.0

HOLDER = """
import json, os, sys
from dataclasses import asdict
from pathlib import Path
from activity_pipeline.local import LocalStack

stack = LocalStack(Path(sys.argv[1])).start()
print(json.dumps(asdict(stack.servers)), flush=True)
{then}
sys.stdin.read()
stack.stop()
"""


@dataclass(frozen=True)
class Holder:
    """A process that holds a stack until its stdin is closed."""

    process: subprocess.Popen[str]

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the holder ended"
        return line

    def servers(self) -> Servers:
        return Servers(**json.loads(self.line()))

    def leave(self) -> int:
        assert self.process.stdin is not None
        self.process.stdin.close()
        return self.process.wait(DEADLINE_S)


@contextlib.contextmanager
def holder(
    state: Path,
    *,
    then: str = "",
    python: str = sys.executable,
    search_path: Sequence[Path] = (PACKAGE_PARENT,),
    uid: int | None = None,
) -> Iterator[Holder]:
    with subprocess.Popen(
        [python, "-c", HOLDER.format(then=then), str(state)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, search_path))},
        cwd="/",
        start_new_session=True,
        user=uid,
        group=uid,
        extra_groups=None if uid is None else [],
    ) as process:
        try:
            yield Holder(process)
        finally:
            process.kill()


def processes_of(state: Path) -> dict[int, str]:
    """Command lines by pid of all that run in the state folder, or were told its path."""
    if not Path("/proc/self/cwd").exists():
        pytest.skip("finds processes in /proc, which this system does not have")
    roots = {str(state.resolve()), str((state / "postgres").resolve())}
    found = {}
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError, PermissionError):
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            folder = str((process / "cwd").readlink())
            if any(word == root or folder.startswith(root) for word in words for root in roots):
                found[int(process.name)] = " ".join(words)
    return found


def assert_nothing_runs(state: Path) -> None:
    wait_for(f"the end of {processes_of(state)}", lambda: not processes_of(state))
    assert not os.path.lexists(state / "run")


def run_folder_of(stack: LocalStack) -> Path:
    return Path(stack.servers.redis_socket).parent


def answers(stack: LocalStack) -> bool:
    with psycopg.connect(stack.postgres_dsn) as postgres, redis.Redis.from_url(stack.redis_url) as queue:
        return postgres.execute("select 1").fetchone() == (1,) and bool(queue.ping())


def listens(servers: Servers) -> bool:
    """Whether both servers take connections, without the rights of a role."""
    for path in (f"{servers.postgres_sockets}/.s.PGSQL.5432", servers.redis_socket):
        with socket.socket(socket.AF_UNIX) as connection:
            try:
                connection.connect(path)
            except OSError:
                return False
    return True
