"""The servers run while anyone holds them, and not longer."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from activity_pipeline.local import LocalStack
from activity_pipeline_tests.integration.local.processes import (
    answers,
    assert_nothing_runs,
    holder,
    processes_of,
)
from activity_pipeline_tests.waiting import wait_for


def test_the_last_holder_stops_the_servers(state: Path) -> None:
    with holder(state) as other:
        with LocalStack(state) as stack:
            assert stack.servers == other.servers()
            assert answers(stack)
            assert other.leave() == 0
            assert answers(stack)
        assert_nothing_runs(state)


def test_a_starter_that_leaves_first_stops_nothing(state: Path) -> None:
    starter = LocalStack(state).start()
    with LocalStack(state) as stack:
        starter.stop()
        assert answers(stack)


def test_start_and_stop_may_be_repeated(state: Path) -> None:
    stack = LocalStack(state).start()
    servers = stack.servers
    assert stack.start().servers == servers
    stack.stop()
    assert_nothing_runs(state)
    stack.stop()


def test_an_exception_stops_the_servers(state: Path) -> None:
    with pytest.raises(ZeroDivisionError), LocalStack(state):
        _ = 1 / 0
    assert_nothing_runs(state)


@pytest.mark.faults
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_leaves_nothing_running(state: Path, number: signal.Signals) -> None:
    with holder(state) as victim:
        victim.servers()
        assert len(processes_of(state)) > 3
        victim.process.send_signal(number)
        victim.process.wait()
        assert_nothing_runs(state)


@pytest.mark.faults
def test_a_starter_killed_while_starting_leaves_nothing_running(new_state: Path) -> None:
    with holder(new_state) as victim:
        wait_for("the start of initdb", (new_state / "postgres.unfinished").exists)
        victim.process.kill()
        victim.process.wait()
        wait_for("the end of all processes", lambda: not processes_of(new_state))
    with LocalStack(new_state) as stack:
        assert answers(stack)


@pytest.mark.faults
def test_ctrl_c_leaves_the_servers_to_the_holder(state: Path) -> None:
    then = """
import signal, socket
try:
    print("waiting", flush=True)
    signal.pause()
except KeyboardInterrupt:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(stack.servers.redis_socket)
        connection.sendall(b"PING\\r\\n")
        print(connection.recv(64).decode().strip(), flush=True)
"""
    with holder(state, then=then) as victim:
        victim.servers()
        assert victim.line() == "waiting\n"
        os.killpg(victim.process.pid, signal.SIGINT)
        assert victim.line() == "+PONG\n"
        assert victim.leave() == 0
        assert_nothing_runs(state)


def test_concurrent_starts_share_one_stack(new_state: Path) -> None:
    with holder(new_state) as first, holder(new_state) as second:
        assert first.servers() == second.servers()
        assert first.leave() == 0
        assert second.leave() == 0
    assert_nothing_runs(new_state)


def test_holders_that_come_and_go_always_find_servers(state: Path) -> None:
    failures: list[BaseException] = []

    def come_and_go() -> None:
        try:
            for _ in range(5):
                with LocalStack(state) as stack:
                    assert answers(stack)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=come_and_go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert_nothing_runs(state)


def test_a_forked_child_that_ends_stops_nothing(state: Path) -> None:
    then = """
if os.fork() == 0:
    with stack:
        pass
    stack.stop()
    sys.exit(0)
os.wait()
print("child ended", flush=True)
"""
    with holder(state, then=then) as parent, LocalStack(state) as stack:
        servers = parent.servers()
        assert parent.line() == "child ended\n"
        assert stack.servers == servers
        assert answers(stack)
        assert parent.leave() == 0


@pytest.mark.faults
def test_a_forked_child_does_not_keep_the_servers(state: Path) -> None:
    then = """
child = os.fork()
if child == 0:
    import signal
    signal.pause()
print(child, flush=True)
"""
    with holder(state, then=then) as parent:
        servers = parent.servers()
        child = int(parent.line())
        try:
            parent.process.kill()
            parent.process.wait()
            gone = {servers.supervisor_pid, servers.postgres_pid, servers.redis_pid}
            wait_for("the end of the servers", lambda: not gone & processes_of(state).keys())
            assert child in processes_of(state)
        finally:
            os.kill(child, signal.SIGKILL)
