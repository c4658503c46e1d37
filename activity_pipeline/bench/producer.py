"""What logging costs its caller, and how fast one process fills the queue."""

from __future__ import annotations

import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from activity_pipeline.bench.callers import CALLERS, Call, fields
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.servers import Servers, bench_servers
from activity_pipeline.bench.turns import Say, Side, take_turns
from activity_pipeline.errors import ActivityError, SettingsError
from activity_pipeline.producer import ActivityLogger

EVENTS_PER_S = 10_000
THREADS = 8
OURS = "log()"
OURS_WITHOUT_REDIS = "log(), Redis stopped"


@dataclass
class CallerBench:
    """Times calls at a steady pace.

    Attributes:
        p99_us: The 99th percentiles of the rounds by side, microseconds.
    """

    servers: Servers
    events: int
    p99_us: dict[str, list[float]] = field(default_factory=dict)

    def time(self, name: str, threads: int = 1) -> float:
        """Log at the pace; return the median time of a call in microseconds."""
        with (
            tempfile.TemporaryDirectory(prefix="activity-bench-") as folder,
            CALLERS[name](self.servers, Path(folder)) as call,
        ):
            paced(call, self.events // 10, threads)
            taken_us = paced(call, self.events, threads)
        self.servers.queue.flushall()
        quantiles = statistics.quantiles(taken_us, n=100)
        self.p99_us.setdefault(_label(name, threads), []).append(quantiles[98])
        return statistics.median(taken_us)


def paced(call: Call, events: int, threads: int) -> list[float]:
    """Call so many times at EVENTS_PER_S in all; return how long each took, in microseconds."""
    taken: list[list[float]] = [[] for _ in range(threads)]
    workers = [
        threading.Thread(target=_pace, args=(call, events // threads, threads / EVENTS_PER_S, each))
        for each in taken
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return [value for each in taken for value in each]


def _pace(call: Call, events: int, interval_s: float, taken_us: list[float]) -> None:
    started = time.perf_counter()
    for number in range(events):
        event = fields(number)
        due = started + number * interval_s
        while time.perf_counter() < due:
            pass  # the caller is at work; after a sleep every call would begin with cold caches
        before = time.perf_counter_ns()
        call(event)
        taken_us.append((time.perf_counter_ns() - before) / 1000)


def throughput(servers: Servers, events: int) -> float:
    """Log events as fast as it goes until Redis has them all; return events per second."""
    with (
        tempfile.TemporaryDirectory(prefix="activity-bench-") as folder,
        ActivityLogger(servers.stack.redis_url, source="bench", spool_dir=Path(folder)) as logger,
    ):
        made = [fields(number) for number in range(1000)]
        started = time.perf_counter()
        for number in range(events):
            logger.log("order.paid", **made[number % 1000])
        accepted = logger.flush(120)
        taken_s = time.perf_counter() - started
        if not accepted or logger.stats.sent != events:
            raise ActivityError(f"Redis has {logger.stats.sent} of {events} events")
    servers.queue.flushall()
    return events / taken_s


def measure_producer(*, events: int, rounds: int, say: Say) -> Report:
    """Measure all callers in turns at 10,000 events a second, and the sustained rate of one process.

    Args:
        events: Calls per side and round.
        rounds: How often each side is measured; the figures are medians.
        say: Told of each measurement.

    Raises:
        SettingsError: The client that it measures itself against is not installed.
    """
    if find_spec("posthog") is None:
        raise SettingsError("bench producer needs its peer: pip install 'activity-pipeline[bench]'")
    with bench_servers() as servers:
        bench = CallerBench(servers, events)
        sides: dict[str, Callable[[], float]] = {name: partial(bench.time, name) for name in CALLERS}
        for name in (OURS, OURS_WITHOUT_REDIS):
            sides[_label(name, THREADS)] = partial(bench.time, name, THREADS)
        p50 = take_turns(sides, rounds=rounds, unit="us", say=say)
        p99 = {name: Side(name, "us", values) for name, values in bench.p99_us.items()}
        rate = take_turns(
            {"sustained": lambda: throughput(servers, events * 10)}, rounds=rounds, unit="events/s", say=say
        )["sustained"]
        machine = describe(postgres_dsn=servers.stack.postgres_dsn, redis_url=servers.stack.redis_url)
    figures = [
        Figure(f"{OURS} p50", p50[OURS].median, "us", 5, "at most"),
        Figure(f"{OURS} p99", p99[OURS].median, "us", 25, "at most"),
        Figure(f"{OURS_WITHOUT_REDIS} p50", p50[OURS_WITHOUT_REDIS].median, "us", 5, "at most"),
        Figure(f"{OURS_WITHOUT_REDIS} p99", p99[OURS_WITHOUT_REDIS].median, "us", 25, "at most"),
        *(
            Figure(f"{label} p99", p99[label].median, "us", 200, "at most")
            for label in (_label(OURS, THREADS), _label(OURS_WITHOUT_REDIS, THREADS))
        ),
    ]
    for name in CALLERS:
        if name not in {OURS, OURS_WITHOUT_REDIS}:
            figures += [
                Figure(f"{name} p50", p50[name].median, "us"),
                Figure(f"{name} p99", p99[name].median, "us"),
                Figure(f"{name} / {OURS}, p50", p50[name].over(p50[OURS]), "x", 1),
            ]
    figures.append(Figure("one process into Redis", rate.median, "events/s", 150_000))
    sizes = {"calls a side": events, "events/s": EVENTS_PER_S, "rounds": rounds}
    measured = {f"{name} p50 us": side.measurements for name, side in p50.items()}
    measured |= {f"{name} p99 us": side.measurements for name, side in p99.items()}
    return Report(machine, sizes, figures, {**measured, "sustained events/s": rate.measurements})


def _label(name: str, threads: int) -> str:
    return name if threads == 1 else f"{name}, {threads} threads"
