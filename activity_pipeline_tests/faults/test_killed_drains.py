"""A drain that is killed at any moment loses nothing and doubles nothing."""

from __future__ import annotations

import logging
import random
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.ingest import DrainConfig
from activity_pipeline.queue.read import backlog
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import drain_forever, kill, start
from activity_pipeline_tests.lines import line
from activity_pipeline_tests.waiting import wait_for

NOON = datetime.combine(today(), datetime.min.time(), UTC)
DEADLINE_S = 60.0
logger = logging.getLogger(__name__)


def drain_to_the_end(running: Running) -> None:
    """Drain until nothing waits: a killed drain's lock goes when Postgres notices its end."""
    deadline = time.monotonic() + DEADLINE_S
    while backlog(running.queue, running.settings.queue_shards):
        assert time.monotonic() < deadline
        running.drain(batch_rows=100)


def kill_often(running: Running, kills: int) -> None:
    seed = random.randrange(10**6)
    logger.warning("seed %d", seed)  # pytest shows it where the test fails
    chance = random.Random(seed)
    config = replace(DrainConfig.of(running.settings), batch_rows=100, idle_s=600.0, budget_s=600.0)
    sent: list[bytes] = []
    ids: set[UUID] = set()
    broken = number = 0
    for _ in range(kills):
        for _ in range(chance.randint(3, 10)):
            frame: list[bytes] = []
            for _ in range(chance.randint(1, 60)):
                kind = chance.random()
                if kind < 0.05:
                    frame.append(chance.choice([b"{", b'{"source":"s","action":"a","metadata":{"a":NaN}}']))
                    broken += 1
                elif kind < 0.15 and number:
                    again = chance.randrange(number)
                    frame.append(line(again, at(again)))
                else:
                    frame.append(line(number, at(number)))
                    ids.add(UUID(int=number, version=4))
                    number += 1
            running.send(*frame, sequence=len(sent))
            sent += frame
        process = start(drain_forever, config, running.settings.archive_root)
        # The one wait that is not for something: the moment of death is meant to be any.
        time.sleep(chance.random() * 0.25)
        kill(process)
        assert running.ledger().residual == 0
    drain_to_the_end(running)
    assert running.ids() == dict.fromkeys(ids, 1)
    ledger = running.ledger()
    assert ledger.residual == 0, ledger.differences
    assert (ledger.issued, ledger.received, ledger.redelivered) == (len(sent), len(sent), 0)
    assert (ledger.inserted, ledger.dead_lettered) == (len(ids), broken)
    assert backlog(running.queue, 1) == 0


def at(number: int) -> datetime:
    """Return the instant of an event: most are hot, some late."""
    return NOON - (40 if number % 10 == 0 else number % 3) * ONE_DAY + timedelta(microseconds=number)


@pytest.mark.faults
def test_kills_at_random_moments(running: Running) -> None:
    kill_often(running, 25)


@pytest.mark.faults
@pytest.mark.slow
def test_many_kills_at_random_moments(running: Running) -> None:
    kill_often(running, 200)


@pytest.mark.faults
def test_processes_that_race_and_are_killed(running: Running) -> None:
    config = replace(DrainConfig.of(running.settings), batch_rows=50, idle_s=600.0, budget_s=600.0)
    total = 1500
    for start_at in range(0, total, 50):
        running.send(*(line(n, at(n)) for n in range(start_at, start_at + 50)), sequence=start_at)
    processes = [start(drain_forever, config, running.settings.archive_root) for _ in range(3)]
    wait_for("half of it to be received", lambda: running.ledger().received >= total / 2)
    kill(processes.pop())
    wait_for("an empty queue", lambda: not backlog(running.queue, 1))
    for process in processes:
        kill(process)
    ledger = running.ledger()
    assert not any(ledger.differences.values()), ledger.differences
    assert (ledger.inserted, ledger.redelivered) == (total, 0)
