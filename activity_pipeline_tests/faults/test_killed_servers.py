"""Postgres or Redis killed in the middle of a drain: started again, the drain ends as if nothing had been."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.errors import StoreError
from activity_pipeline.events.days import today
from activity_pipeline.events.frame import Frame
from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.ledger import read_ledger
from activity_pipeline.ingest import DrainConfig, drain
from activity_pipeline.local import LocalStack
from activity_pipeline.queue.append import append
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.read import backlog
from activity_pipeline_tests.faults.conftest import DEADLINE_S, restart
from activity_pipeline_tests.lines import lines

NOON = datetime.combine(today(), datetime.min.time(), UTC)
FRAMES, EVENTS_PER_FRAME = 60, 50
TOTAL = FRAMES * EVENTS_PER_FRAME


def config_of(stack: LocalStack) -> DrainConfig:
    return DrainConfig(stack.redis_url, stack.postgres_dsn, batch_rows=EVENTS_PER_FRAME)


@pytest.mark.faults
@pytest.mark.parametrize(
    ("server", "kind"),
    [
        ("postgres", signal.SIGKILL),
        pytest.param("postgres", signal.SIGQUIT, marks=pytest.mark.slow),
        ("redis", signal.SIGKILL),
    ],
)
def test_a_server_that_is_killed(
    own_stack: LocalStack, tmp_path: Path, server: str, kind: signal.Signals
) -> None:
    known = KnownEvents(ArchiveStore(str(tmp_path / "archive")))
    with connect_queue(own_stack.redis_url) as queue:
        for n in range(FRAMES):
            body = b"\n".join(lines(n * EVENTS_PER_FRAME, EVENTS_PER_FRAME, NOON + timedelta(seconds=n)))
            append(queue, Shard(0), [Frame(body=body, count=EVENTS_PER_FRAME, producer="p", sequence=n * 50)])
    a_third = threading.Event()
    batches = 0

    def count(_: Batch, __: Stored) -> None:
        nonlocal batches
        batches += 1
        if batches == FRAMES // 3:
            a_third.set()

    errors: list[BaseException] = []

    def run() -> None:
        try:
            drain(config_of(own_stack), known, on_batch=count)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    assert a_third.wait(DEADLINE_S)
    os.kill(getattr(own_stack.servers, f"{server}_pid"), kind)
    thread.join(DEADLINE_S)
    assert not thread.is_alive()
    (error,) = errors
    assert isinstance(error, (StoreError, redis.RedisError)), repr(error)
    restart(own_stack)
    with connect(own_stack.postgres_dsn) as connection, connect_queue(own_stack.redis_url) as queue:
        assert FRAMES // 3 * EVENTS_PER_FRAME <= read_ledger(connection).received < TOTAL
        drain(config_of(own_stack), known)
        ledger = read_ledger(connection)
        assert (ledger.residual, ledger.inserted, ledger.duplicate, ledger.redelivered) == (0, TOTAL, 0, 0)
        assert connection.execute("select count(distinct id) from activity_logs").fetchone() == (TOTAL,)
        assert backlog(queue, 1) == 0
