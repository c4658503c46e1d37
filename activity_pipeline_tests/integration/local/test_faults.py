"""Servers and supervisors that die, and starts that fail."""

from __future__ import annotations

import os
import signal
import stat
from pathlib import Path

import psycopg
import pytest
import redis

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local import LocalStack
from activity_pipeline_tests.integration.local.processes import (
    answers,
    assert_nothing_runs,
    holder,
    processes_of,
    run_folder_of,
)
from activity_pipeline_tests.waiting import wait_for


def write_one(stack: LocalStack) -> None:
    with psycopg.connect(stack.postgres_dsn) as connection:
        connection.execute("create table kept as select 42 as answer")
    with redis.Redis.from_url(stack.redis_url) as queue:
        queue.set("kept", "42")


def assert_kept(stack: LocalStack) -> None:
    with psycopg.connect(stack.postgres_dsn) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)
    with redis.Redis.from_url(stack.redis_url) as queue:
        assert queue.get("kept") == b"42"


@pytest.mark.faults
@pytest.mark.parametrize("name", ["state", "d" * 120], ids=["short", "deep"])
def test_a_killed_supervisor_takes_its_servers_with_it(state: Path, name: str) -> None:
    stack = LocalStack(state.rename(state.with_name(name))).start()
    write_one(stack)
    os.kill(stack.servers.supervisor_pid, signal.SIGKILL)
    wait_for("the end of the servers", lambda: not processes_of(stack.state))
    # The same holder recovers, as it still has its dead lease.
    stack.start()
    assert_kept(stack)
    stack.stop()
    assert_nothing_runs(stack.state)


@pytest.mark.faults
def test_a_start_beside_dying_servers_waits_for_them(state: Path) -> None:
    for _ in range(3):
        with LocalStack(state) as stack:
            os.kill(stack.servers.supervisor_pid, signal.SIGKILL)
            with LocalStack(state) as successor:
                assert answers(successor)


@pytest.mark.faults
@pytest.mark.parametrize("server", ["postgres_pid", "redis_pid"])
def test_a_killed_server_ends_the_stack_and_the_next_start_recovers(state: Path, server: str) -> None:
    with LocalStack(state) as stack:
        write_one(stack)
        os.kill(getattr(stack.servers, server), signal.SIGKILL)
        assert_nothing_runs(state)
        assert_kept(stack.start())


@pytest.mark.faults
def test_sigterm_to_the_supervisor_stops_cleanly(state: Path) -> None:
    with LocalStack(state) as stack:
        os.kill(stack.servers.supervisor_pid, signal.SIGTERM)
        assert_nothing_runs(state)
        assert "database system is shut down" in (state / "log" / "postgres.log").read_text()


def test_a_pid_file_that_names_a_living_process_is_stale(state: Path) -> None:
    (state / "postgres" / "postmaster.pid").write_text(f"{os.getppid()}\n{state / 'postgres'}\n")
    with LocalStack(state) as stack:
        assert answers(stack)


def test_a_broken_configuration_is_reported_with_the_log(state: Path) -> None:
    configuration = state / "postgres" / "postgresql.conf"
    good = configuration.read_text()
    configuration.write_text(good + "no_such_setting = 1\n")
    with pytest.raises(LocalStackError, match="no_such_setting") as caught:
        LocalStack(state).start()
    assert "no_such_setting" in caught.value.__dict__["log_tail"]
    assert_nothing_runs(state)
    configuration.write_text(good)
    with LocalStack(state) as stack:
        assert answers(stack)


def test_a_broken_append_only_file_is_reported_with_the_log(state: Path) -> None:
    with LocalStack(state) as stack, redis.Redis.from_url(stack.redis_url) as queue:
        queue.set("kept", "42")
    for file in (state / "redis").rglob("*.aof"):
        file.write_bytes(b"not a command\r\n" + file.read_bytes())
    with pytest.raises(LocalStackError, match=r"redis ended with code 1(?s:.*)Bad file format"):
        LocalStack(state).start()
    assert_nothing_runs(state)


def test_an_old_redis_does_not_start_without_the_queue(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = tmp_path / "redis-server"
    old.write_text("#!/bin/sh\necho Redis server v=6.2.14 bits=64\n")
    old.chmod(0o700)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    (state / "redis" / "appendonlydir").mkdir()
    with pytest.raises(LocalStackError, match="older than Redis 7"):
        LocalStack(state).start()


def test_a_start_that_takes_too_long_fails(state: Path) -> None:
    with holder(state) as other:
        other.servers()
        os.kill(other.process.pid, signal.SIGSTOP)
        supervisor = next(pid for pid, words in processes_of(state).items() if "local.supervisor" in words)
        os.kill(supervisor, signal.SIGSTOP)
        try:
            with pytest.raises(LocalStackError, match="does not answer"):
                LocalStack(state, timeout_s=0.2).start()
        finally:
            os.kill(supervisor, signal.SIGCONT)


def test_a_file_is_no_state_folder(tmp_path: Path) -> None:
    state = tmp_path / "file"
    state.write_text("")
    with pytest.raises(LocalStackError, match="as the state folder"):
        LocalStack(state).start()


def test_a_squatted_socket_folder_is_refused(state: Path) -> None:
    deep = state.rename(state.with_name("d" * 120))
    with LocalStack(deep) as stack:
        run = run_folder_of(stack)
    trap = deep / "trap"
    trap.mkdir()
    run.symlink_to(trap)
    try:
        with pytest.raises(LocalStackError, match="remove it"):
            LocalStack(deep).start()
    finally:
        run.unlink()
    assert stat.S_IMODE(trap.stat().st_mode) & 0o700 == 0o700
    assert not list(trap.iterdir())
