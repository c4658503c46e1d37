"""A drain of an outbox that is killed loses nothing and doubles nothing but a count."""

from __future__ import annotations

import logging
import random
import signal
import time
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import psycopg
import pytest

from activity_pipeline.events.days import today
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.outbox import read_waiting
from activity_pipeline.ingest import DrainConfig
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import (
    DRAIN_CRASHES,
    READY_S,
    drain_and_die,
    drain_forever,
    kill,
    start,
)
from activity_pipeline_tests.lines import line

pytestmark = pytest.mark.faults
NOON = datetime.combine(today(), datetime.min.time(), UTC)
BROKEN = ['{"source":"s","action":"a","metadata":{"a":NaN}}', "{"]
DEADLINE_S = 60.0
logger = logging.getLogger(__name__)


@pytest.fixture(params=["beside the events", "elsewhere"])
def place(request: pytest.FixtureRequest, running: Running) -> str:
    if request.param == "elsewhere":
        return str(request.getfixturevalue("application"))
    return running.settings.postgres_dsn


def write(dsn: str, first: int, count: int) -> None:
    texts = [line(number, NOON).decode() for number in range(first, first + count)]
    with psycopg.connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into activity_outbox (line) values (%s)", [(text,) for text in texts + BROKEN]
        )


def waiting(dsn: str) -> int:
    with connect(dsn) as connection:
        return read_waiting(connection, limit=10**6).rows


def drain_to_the_end(running: Running, dsn: str) -> None:
    """Drain until nothing waits: a killed drain's rows come back when Postgres notices its end."""
    deadline = time.monotonic() + DEADLINE_S
    while waiting(dsn):
        assert time.monotonic() < deadline
        running.drain(outbox_dsn=dsn)


@pytest.mark.parametrize("crash", DRAIN_CRASHES)
def test_the_next_drain_finishes(running: Running, place: str, crash: str) -> None:
    write(place, 0, 50)
    config = replace(DrainConfig.of(running.settings), outbox_dsns=(place,))
    process = start(drain_and_die, config, running.settings.archive_root, crash)
    process.join(READY_S)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    drain_to_the_end(running, place)
    assert running.ids() == {UUID(int=number, version=4): 1 for number in range(50)}
    assert running.count("activity_dead_letters") == 2
    ledger = running.ledger()
    stored_twice = crash == "stored" and place != running.settings.postgres_dsn
    assert (ledger.residual, ledger.inserted, ledger.duplicate, ledger.dead_lettered) == (
        0,
        50,
        50 if stored_twice else 0,
        2,
    )


def test_kills_at_random_moments(running: Running, place: str) -> None:
    seed = random.randrange(10**6)
    logger.warning("seed %d", seed)  # pytest shows it where the test fails
    chance = random.Random(seed)
    config = replace(
        DrainConfig.of(running.settings), outbox_dsns=(place,), batch_rows=40, idle_s=600.0, budget_s=600.0
    )
    kills, written = 6, 0
    for _ in range(kills):
        write(place, written, 100)
        written += 100
        process = start(drain_forever, config, running.settings.archive_root)
        # The one wait that is not for something: the moment of death is meant to be any.
        time.sleep(chance.random() * 0.3)
        kill(process)
    drain_to_the_end(running, place)
    assert running.ids() == {UUID(int=number, version=4): 1 for number in range(written)}
    ledger = running.ledger()
    assert (ledger.residual, ledger.inserted, ledger.dead_lettered) == (0, written, kills * len(BROKEN))
