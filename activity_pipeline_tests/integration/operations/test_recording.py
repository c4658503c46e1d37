"""Durations of every process in one table."""

from __future__ import annotations

import logging
import random
import threading
import time
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from activity_pipeline.anomalies.refresh import refresh_anomalies
from activity_pipeline.archive import archive_days
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.days import due_days, seal
from activity_pipeline.hot.operations import read_hours, read_totals, write
from activity_pipeline.hot.recording import recording, write_pending
from activity_pipeline.hot.scrape import metrics_text
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline.operations import RECORDER, Histogram, Recorder
from activity_pipeline.operations.model import bucket_of
from activity_pipeline.producer import ActivityLogger
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.lines import lines

NOON = datetime.combine(today(), datetime.min.time(), UTC)
DEADLINE_S = 30.0


@pytest.fixture(autouse=True)
def nothing_pending() -> None:
    RECORDER.take_pending()


def rows(running: Running) -> list[dict[str, Any]]:
    with running.statements.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute("select * from activity_operations order by hour, operation").fetchall()


def some(seed: int, count: int) -> Histogram:
    """Return durations of many sizes."""
    choice, histogram = random.Random(seed), Histogram()
    for _ in range(count):
        histogram.add(10 ** choice.uniform(-5, 3), failures=seed % 2, items=3, refused=1)
    return histogram


def test_processes_add_up_to_the_quantiles_of_all(running: Running) -> None:
    hour = int(time.time() // 3600)
    parts, whole = [some(seed, 50) for seed in range(1, 5)], Histogram()
    for part in parts:
        write(running.statements, {(hour, "drain"): part})
        whole.merge(part)
    (row,) = rows(running)
    assert (row["count"], row["failures"], row["items"]) == (200, 100, 600)
    assert row["refused"] == 200
    assert row["seconds"] == pytest.approx(whole.seconds)
    assert row["longest_s"] == whole.longest_s
    for name, q in (("p50_s", 0.5), ("p95_s", 0.95), ("p99_s", 0.99)):
        assert row[name] == pytest.approx(whole.quantile(q)), "Postgres and Python agree"
    start = datetime.fromtimestamp(hour * 3600, UTC)
    ((_, read),) = read_hours(running.statements, start).items()
    assert read.buckets == whole.buckets


def test_hours_of_long_ago_are_forgotten_and_totals_stay(running: Running) -> None:
    now = int(time.time() // 3600)
    old, new = some(1, 20), some(2, 3)
    write(running.statements, {(now - 91 * 24, "drain"): old})
    write(running.statements, {(now, "drain"): new})
    assert [row["count"] for row in rows(running)] == [3]
    totals = read_totals(running.statements)["drain"]
    old.merge(new)
    assert (totals.count, totals.buckets) == (23, old.buckets)
    assert totals.seconds == pytest.approx(old.seconds)


def test_what_a_block_does_is_written_at_its_end_and_meanwhile(running: Running) -> None:
    own = Recorder()
    with recording(running.settings.postgres_dsn, interval_s=0.05, recorder=own):
        own.observe("query", 0.01)
        deadline = time.monotonic() + DEADLINE_S
        while not rows(running):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        own.observe("query", 0.01)
    assert sum(row["count"] for row in rows(running)) == 2
    assert own.take_pending() == {}


def test_nothing_done_opens_no_connection() -> None:
    assert write_pending("postgresql://activity@/nowhere?host=/nonexistent", Recorder())


def test_a_database_that_is_away_raises_nothing_and_is_waited_for(
    running: Running, caplog: pytest.LogCaptureFixture
) -> None:
    own = Recorder()
    with (
        caplog.at_level(logging.INFO, "activity_pipeline"),
        recording("postgresql://activity@/nowhere?host=/nonexistent", recorder=own),
    ):
        own.observe("query", 0.01)
    assert "durations wait to be written" in caplog.text
    assert own.dropped == 1, "nobody will write it any more"
    own.observe("query", 0.01)
    running.statements.execute("alter table activity_operations rename to elsewhere")
    assert not write_pending(running.settings.postgres_dsn, own)
    running.statements.execute("alter table elsewhere rename to activity_operations")
    assert write_pending(running.settings.postgres_dsn, own)
    assert [row["count"] for row in rows(running)] == [1]


def test_writers_at_once_lose_nothing(running: Running) -> None:
    def write_often() -> None:
        for _ in range(20):
            own = Recorder()
            own.observe("drain", 0.01)
            own.observe("seal", 0.01)
            assert write_pending(running.settings.postgres_dsn, own)

    threads = [threading.Thread(target=write_often) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    totals = read_totals(running.statements)
    assert {operation: histogram.count for operation, histogram in totals.items()} == {
        "drain": 60,
        "seal": 60,
    }


def test_every_operation_of_a_day_is_recorded(running: Running) -> None:
    cold = today() - 40 * ONE_DAY
    with ActivityLogger(
        running.settings.redis_url, source="shop", spool_dir=running.settings.spool_path
    ) as logger:
        logger.log("paid")
        assert logger.flush()
    running.send(*lines(0, 10, datetime.combine(cold, datetime.min.time(), UTC)))
    running.statements.execute("insert into activity_outbox (line) values ('{}')")
    running.drain()
    assert seal(running.statements, [today(), today()]) == [today()]
    due = due_days(running.statements, hot_since=today() - 30 * ONE_DAY)
    archive_days(running.statements, running.bulk, running.store, due)
    days = [cold, today(), today() - 3 * ONE_DAY]
    refresh_metrics(running.statements, running.bulk, running.store, days)
    refresh_anomalies(running.statements, running.bulk, running.store, days)
    assert write_pending(running.settings.postgres_dsn)
    totals = read_totals(running.statements)
    assert {operation: (total.count, total.failures, total.items) for operation, total in totals.items()} == {
        "log_flush": (1, 0, 1),
        "drain": (2, 0, 12),
        "seal": (1, 0, 0),
        "export": (1, 0, 0),
        "gate": (1, 0, 0),
        "metrics": (2, 0, 11),
        "anomalies": (3, 0, 0),
    }


def test_a_batch_that_fails_is_counted_as_failed(running: Running) -> None:
    running.send(*lines(0, 3, NOON))
    running.statements.execute("alter table activity_ledger rename to elsewhere")
    with pytest.raises(Exception, match="activity_ledger"):
        running.drain()
    (histogram,) = RECORDER.take_pending().values()
    assert (histogram.count, histogram.failures) == (1, 1)
    assert histogram.buckets[bucket_of(histogram.longest_s)] == 1


def test_prometheus_is_told_of_this_process_and_of_all(running: Running) -> None:
    own, ended = Recorder(), Recorder()
    own.observe("query", 0.01)
    ended.observe("export", 2.0)
    assert write_pending(running.settings.postgres_dsn, ended)
    text = metrics_text(running.settings.postgres_dsn, own).decode()
    assert 'activity_process_operation_seconds_count{operation="query"} 1.0' in text
    assert 'activity_operation_seconds_bucket{le="1",operation="export"} 0.0' in text
    assert 'activity_operation_seconds_bucket{le="+Inf",operation="export"} 1.0' in text
    assert "activity_process_dropped_samples_total 0.0" in text
    away = metrics_text("postgresql://activity@/nowhere?host=/nonexistent", own).decode()
    assert "activity_process_operation_seconds_count" in away
    assert "activity_operation_seconds" not in away
