"""A follower stores what comes, tells Dagster, and outlives whatever it talks to."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.follower import is_followed
from activity_pipeline.ingest import DrainConfig, DrainReport
from activity_pipeline.ingest import follow as following
from activity_pipeline.ingest.follow import follow
from activity_pipeline.ingest.reporting import DagsterReporter
from activity_pipeline.queue.connection import Shard, stream_key
from activity_pipeline_tests.conftest import NO_DAGSTER, Running
from activity_pipeline_tests.lines import lines
from activity_pipeline_tests.waiting import wait_for

NOON = datetime.combine(today(), datetime.min.time(), UTC)
DEADLINE_S = 30.0


class Dagster(HTTPServer):
    """Takes reports as the web server does, or refuses them."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.taken: list[tuple[str, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def of(self, asset: str) -> list[dict[str, Any]]:
        return [body for path, body in self.taken if path == f"/report_asset_materialization/{asset}"]

    def days(self) -> dict[str, int]:
        """Return the rows reported of each day."""
        rows: dict[str, int] = {}
        for body in self.of("hot/events"):
            rows[body["partition"]] = rows.get(body["partition"], 0) + body["metadata"].get("new_rows", 0)
        return rows


class _Handler(BaseHTTPRequestHandler):
    server: Dagster

    def do_POST(self) -> None:
        assert self.headers["Content-Type"] == "application/json"
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.status == 200:
            self.server.taken.append((self.path, body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def dagster() -> Iterator[Dagster]:
    with Dagster() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@contextmanager
def followed(running: Running, url: str, *, interval_s: float = 0.1) -> Iterator[list[DrainReport]]:
    """Follow in a thread while the block runs; afterwards the list holds what the follower did."""
    stop, reports = threading.Event(), list[DrainReport]()
    config = DrainConfig.of(running.settings)
    reporter = DagsterReporter(url, more_figures=lambda: {"queue_waiting_events": 0})

    def run() -> None:
        known = KnownEvents(running.store)
        reports.append(follow(config, known, reporter, stop, report_interval_s=interval_s))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield reports
    finally:
        stop.set()
        thread.join(DEADLINE_S)
    assert not thread.is_alive()


def stored(running: Running, count: int) -> None:
    wait_for(f"{count} events", lambda: running.count("activity_logs") == count)


def test_what_comes_is_stored_and_reported(running: Running, dagster: Dagster) -> None:
    yesterday = NOON - ONE_DAY
    with followed(running, dagster.url) as reports:
        wait_for("the lock", lambda: is_followed(running.statements))
        running.send(*lines(0, 10, NOON))
        stored(running, 10)
        running.send(*lines(10, 5, yesterday), b"{", sequence=10)
        stored(running, 15)
    assert not is_followed(running.statements)
    (report,) = reports
    assert (report.received, report.dead_lettered, sum(report.inserted.values())) == (16, 1, 15)
    assert dagster.days() == {NOON.date().isoformat(): 10, yesterday.date().isoformat(): 5}
    drained = [body["metadata"] for body in dagster.of("ingest/drained_events")]
    assert sum(figures["received"] for figures in drained) == 16
    assert sum(figures["dead_lettered"] for figures in drained) == 1
    assert set(drained[0]) >= {"inserted", "duplicate", "batches", "events_per_s", "queue_waiting_events"}
    assert running.ledger().residual == 0


def test_nothing_drained_is_nothing_reported(running: Running, dagster: Dagster) -> None:
    with followed(running, dagster.url):
        wait_for("the lock", lambda: is_followed(running.statements))
    assert dagster.taken == []


@pytest.mark.parametrize("status", [500, 404])
def test_what_dagster_does_not_take_is_kept_and_said_once(
    running: Running, dagster: Dagster, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.INFO)
    dagster.status = status

    def said(text: str) -> int:
        return sum(text in record.getMessage() for record in caplog.records)

    with followed(running, dagster.url, interval_s=0.02):
        for start in range(0, 30, 10):
            running.send(*lines(start, 10, NOON), sequence=start)
            stored(running, start + 10)
        wait_for("the refusal", lambda: said("does not take reports"))
        dagster.status = 200
        wait_for("the report", lambda: sum(dagster.days().values()) == 30)
        wait_for("its end", lambda: said("takes reports again"))
    assert said("does not take reports") == 1
    assert sum(body["metadata"]["received"] for body in dagster.of("ingest/drained_events")) == 30


def test_no_dagster_at_all_hinders_nothing(running: Running) -> None:
    with followed(running, NO_DAGSTER) as reports:
        running.send(*lines(0, 10, NOON))
        stored(running, 10)
    assert reports[0].received == 10


def test_a_day_whose_report_was_lost_is_found_again(running: Running, dagster: Dagster) -> None:
    running.send(*lines(0, 10, NOON - 3 * ONE_DAY))
    running.drain()
    with followed(running, dagster.url):
        wait_for("the report", dagster.days)
    ((_, body),) = dagster.taken
    assert body == {"metadata": {}, "partition": (NOON.date() - 3 * ONE_DAY).isoformat()}


def test_trouble_is_said_once_and_gives_the_lock_back(
    running: Running, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(following, "LONGEST_PAUSE_S", 0.3)
    running.send(*lines(0, 10, NOON))
    running.drain()
    running.queue.delete(stream_key(Shard(0)))
    running.queue.xadd(stream_key(Shard(0)), {"e": b"{}"}, id="1-1")
    with followed(running, NO_DAGSTER):
        wait_for("the error", lambda: [r for r in caplog.records if "lost its tail" in r.getMessage()])
        wait_for("the lock's return", lambda: not is_followed(running.statements))
        time.sleep(0.7)  # several attempts
        running.queue.delete(stream_key(Shard(0)))
        running.send(*lines(10, 10, NOON), sequence=10)
        stored(running, 20)
    assert len([r for r in caplog.records if "cannot drain" in r.getMessage()]) == 1
    assert running.ledger().residual == 0


def test_a_session_that_is_cut_is_replaced(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(following, "PING_S", 0.05)
    holder = "select pid from pg_locks where locktype = 'advisory' and mode = 'ShareLock'"
    with followed(running, NO_DAGSTER):
        wait_for("the lock", lambda: is_followed(running.statements))
        ((first,),) = running.statements.execute(holder).fetchall()
        running.statements.execute("select pg_terminate_backend(%s)", [first])
        wait_for(
            "another session",
            lambda: running.statements.execute(holder).fetchall() not in ([], [(first,)]),
        )
        running.send(*lines(0, 10, NOON))
        stored(running, 10)


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_the_command_ends_after_its_batch_with_code_0(running: Running, number: signal.Signals) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ACTIVITY_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "activity_pipeline", "drain", "--follow", "--json"],
        env={**environment, **running.settings.environment()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        running.send(*lines(0, 10, NOON))
        stored(running, 10)
        process.send_signal(number)
        out, err = process.communicate(timeout=DEADLINE_S)
    finally:
        process.kill()
    assert process.returncode == 0, err
    assert json.loads(out)["received"] == 10
    assert err.count(b"does not take reports") <= 1
