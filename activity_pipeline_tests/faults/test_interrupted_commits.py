"""Postgres stopped at the worst moments, followers and replays killed: each event is stored once."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.errors import StoreError
from activity_pipeline.events.days import today
from activity_pipeline.events.frame import Frame
from activity_pipeline.events.model import Rules
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.ledger import read_ledger
from activity_pipeline.ingest import DrainConfig, drain
from activity_pipeline.ingest.replay import ReplayConfig
from activity_pipeline.local import LocalStack
from activity_pipeline.queue.append import append
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline_tests.conftest import NO_DAGSTER, Running
from activity_pipeline_tests.faults.children import follow_until_told, kill, replay_all, start
from activity_pipeline_tests.faults.conftest import DEADLINE_S, restart
from activity_pipeline_tests.lines import line, lines
from activity_pipeline_tests.waiting import wait_for

pytestmark = pytest.mark.faults
NOON = datetime.combine(today(), datetime.min.time(), UTC)
EVENTS = 200

SLOW_ROWS = """
create function dawdle() returns trigger language plpgsql as
$$ begin perform pg_sleep(0.02); return new; end $$;
create trigger dawdle before insert on activity_logs_current for each row execute function dawdle()
"""
COPYING = "select from pg_stat_progress_copy where tuples_processed > 3"

SLOW_COMMIT = """
create function dawdle() returns trigger language plpgsql as
$$ begin perform pg_sleep(20); return new; end $$;
create constraint trigger dawdle after update on queue_offsets deferrable initially deferred
for each row execute function dawdle()
"""
COMMITTING = "select from pg_stat_activity where state = 'active' and query ilike 'commit%'"


def send(stack: LocalStack, first: int, count: int) -> None:
    body = b"\n".join(lines(first, count, NOON))
    with connect_queue(stack.redis_url) as queue:
        append(queue, Shard(0), [Frame(body=body, count=count, producer="p", sequence=first)])


def stored_once(connection: Statements, count: int) -> None:
    """Check that events 0 to `count` are stored, each once, and that the ledger closes."""
    stored = [row[0] for row in connection.execute("select id from activity_logs")]
    assert sorted(stored) == [UUID(int=number, version=4) for number in range(count)]
    ledger = read_ledger(connection)
    assert (ledger.residual, ledger.inserted, ledger.received, ledger.redelivered) == (0, count, count, 0)


@pytest.mark.parametrize(
    ("slow", "moment"),
    [
        pytest.param(SLOW_ROWS, COPYING, id="in the middle of COPY", marks=pytest.mark.slow),
        pytest.param(SLOW_COMMIT, COMMITTING, id="at the commit"),
    ],
)
def test_postgres_is_stopped_at_once(own_stack: LocalStack, tmp_path: Path, slow: str, moment: str) -> None:
    known = KnownEvents(ArchiveStore(str(tmp_path / "archive")))
    config = DrainConfig(own_stack.redis_url, own_stack.postgres_dsn)
    send(own_stack, 0, EVENTS)
    with connect(own_stack.postgres_dsn) as connection:
        connection.execute(slow)
        errors: list[BaseException] = []

        def run() -> None:
            try:
                drain(config, known)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        wait_for(moment, lambda: connection.execute(moment).fetchall())
        os.kill(own_stack.servers.postgres_pid, signal.SIGQUIT)
        thread.join(DEADLINE_S)
    assert not thread.is_alive()
    assert [type(error) for error in errors] == [StoreError]
    restart(own_stack)
    with connect(own_stack.postgres_dsn) as connection:
        assert read_ledger(connection).received == 0
        connection.execute("drop function dawdle cascade")
        drain(config, known)
        stored_once(connection, EVENTS)


@pytest.mark.slow
def test_a_follower_outlives_both_servers(own_stack: LocalStack, tmp_path: Path) -> None:
    config = DrainConfig(own_stack.redis_url, own_stack.postgres_dsn, batch_rows=20)
    follower = start(follow_until_told, config, str(tmp_path / "archive"), NO_DAGSTER)
    sent = 0
    for server in ("redis", "postgres"):
        for _ in range(20):
            send(own_stack, sent, 10)
            sent += 10
        os.kill(getattr(own_stack.servers, f"{server}_pid"), signal.SIGKILL)
        restart(own_stack)
    send(own_stack, sent, 10)
    sent += 10
    with connect(own_stack.postgres_dsn) as connection:
        wait_for("all events", lambda: read_ledger(connection).received >= sent)
        stored_once(connection, sent)
    os.kill(follower.pid or 0, signal.SIGTERM)
    follower.join(DEADLINE_S)
    assert follower.exitcode == 0


def test_a_follower_that_is_killed_lets_the_next_one_go_on(running: Running) -> None:
    config = DrainConfig.of(running.settings)
    for first in range(0, 400, 100):
        running.send(*lines(first, 100, NOON), sequence=first)
        follower = start(follow_until_told, config, running.settings.archive_root, NO_DAGSTER)
        time.sleep(random.random() * 0.3)  # the moment of death is meant to be any
        kill(follower)
        assert running.ledger().residual == 0
    running.drain()
    wait_for("the locks of the dead", lambda: running.drain().received == 0)
    stored_once(running.statements, 400)


def test_replays_are_killed_at_random_moments(running: Running) -> None:
    count = 600
    for first in range(0, count, 100):
        odd = (line(n, NOON + timedelta(microseconds=n), status="odd") for n in range(first, first + 100))
        running.send(*odd, sequence=first)
    assert running.drain(allowed_statuses="success").dead_lettered == count
    config = ReplayConfig(running.settings.postgres_dsn, Rules(), running.settings.hot_days)
    for _ in range(8):
        _kill_a_replay(running, config)
        ledger = running.ledger()
        assert ledger.residual == 0, ledger.differences
        assert ledger.inserted == count - ledger.dead_lettered
    wait_for("the end", lambda: _all_replayed(running, config))
    stored_once(running.statements, count)


def _kill_a_replay(running: Running, config: ReplayConfig) -> None:
    """Kill it somewhere after its first chunk."""
    before = running.ledger().inserted
    process = start(replay_all, config, running.settings.archive_root, 20)
    wait_for("a chunk", lambda: running.ledger().inserted > before or process.exitcode is not None)
    time.sleep(random.random() * 0.05)
    if process.exitcode is None:
        kill(process)


def _all_replayed(running: Running, config: ReplayConfig) -> bool:
    """Replay in a process: one that was killed may hold its letters until Postgres notices."""
    process = start(replay_all, config, running.settings.archive_root, 100)
    process.join(DEADLINE_S)
    return running.ledger().dead_lettered == 0
