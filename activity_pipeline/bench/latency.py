"""From `log()` to queryable in Postgres, while a drain follows the queue."""

from __future__ import annotations

import contextlib
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from activity_pipeline.bench.callers import fields
from activity_pipeline.bench.child import child_environment, working
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.servers import Servers, bench_servers
from activity_pipeline.bench.turns import Say
from activity_pipeline.errors import ActivityError
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.producer import ActivityLogger

_SQL = load_queries(__file__)
EVENTS_PER_S = 5_000
PROBE_EVERY = 50
"""One event in so many is looked up until it is found."""

TICK_S = 0.01
POLL_S = 0.02
PATIENCE_S = 60.0
WARM_UP_S = 2.0


def measure_latency(*, seconds: float, say: Say) -> Report:
    """Log 5,000 events a second beside `drain --follow` and look some of them up until they are there.

    A latency is the time from before `log` to the poll that first finds the event; polls are 20 ms
    apart, which counts against us.

    Args:
        seconds: How long to log, in seconds.
        say: Told how it goes.
    """
    with bench_servers() as servers, servers.fresh_database() as dsn:
        with follower(servers.stack.redis_url, dsn), connect(dsn) as connection:
            _latencies(servers, connection, WARM_UP_S)
            say(f"logging for {seconds:.0f} s")
            found_s = sorted(_latencies(servers, connection, seconds))
        machine = describe(postgres_dsn=dsn, redis_url=servers.stack.redis_url)
    figures = [
        Figure("p50", found_s[len(found_s) // 2], "s"),
        Figure("p95", found_s[len(found_s) * 95 // 100], "s", 1.0, "at most"),
        Figure("p99", found_s[len(found_s) * 99 // 100], "s"),
        Figure("longest", found_s[-1], "s"),
    ]
    return Report(machine, {"events/s": EVENTS_PER_S, "events looked up": len(found_s)}, figures)


def _latencies(servers: Servers, connection: Statements, seconds: float) -> list[float]:
    """Log for so long; return the latency of each probe in seconds."""
    logged_at: dict[str, float] = {}
    found_s: list[float] = []
    since = datetime.now(UTC) - timedelta(seconds=1)
    logging = threading.Thread(target=_log, args=(servers, seconds, logged_at))
    logging.start()
    last_found = time.monotonic()
    while logging.is_alive() or logged_at:
        waiting = list(logged_at)
        for (event_id,) in connection.execute(_SQL["found"], {"since": since, "ids": waiting}).fetchall():
            last_found = time.monotonic()
            found_s.append(last_found - logged_at.pop(str(event_id)))
        if time.monotonic() - last_found > PATIENCE_S:
            raise ActivityError(f"{len(logged_at)} events are not in Postgres after {PATIENCE_S:.0f} s")
        time.sleep(POLL_S)
    logging.join()
    return found_s


def _log(servers: Servers, seconds: float, logged_at: dict[str, float]) -> None:
    with (
        tempfile.TemporaryDirectory() as spool,
        ActivityLogger(servers.stack.redis_url, source="bench", spool_dir=Path(spool)) as logger,
    ):
        started, number = time.monotonic(), 0
        while (elapsed_s := time.monotonic() - started) < seconds:
            while number < elapsed_s * EVENTS_PER_S:
                before = time.monotonic()
                event_id = logger.log("order.paid", **fields(number))
                if number % PROBE_EVERY == 0:
                    logged_at[event_id] = before
                number += 1
            time.sleep(TICK_S)


@contextlib.contextmanager
def follower(redis_url: str, dsn: str) -> Iterator[None]:
    """Have `drain --follow` run in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        servers = {"ACTIVITY_POSTGRES_DSN": dsn, "ACTIVITY_REDIS_URL": redis_url}
        command = [sys.executable, "-m", "activity_pipeline", "drain", "--follow", "--json"]
        with working(command, cwd=folder, env=child_environment(servers, state=folder)):
            yield
