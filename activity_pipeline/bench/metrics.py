"""Metrics: one day that changed against all days of a year, and the memory of a large day."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path

from activity_pipeline.archive import ArchiveStore, archive_days
from activity_pipeline.bench.archive.day import stored_day
from activity_pipeline.bench.child import run_child
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.load import load_events
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.servers import Servers, bench_servers
from activity_pipeline.bench.turns import Say, take_turns
from activity_pipeline.errors import ActivityError
from activity_pipeline.events.days import ONE_DAY, hot_since, today
from activity_pipeline.hot.connection import open_hot
from activity_pipeline.hot.days import due_days, list_days
from activity_pipeline.local.shop import simulate
from activity_pipeline.metrics import refresh_metrics

DAYS = 365
HOT_DAYS = 30
UNIT = "s"
COLD_DAY = timedelta(days=200)
"""How long ago the archived day that changes lies."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure.

    Attributes:
        rows: Events of the year.
        large_rows: Events of the large day.
        rounds: How often each side is measured.
    """

    rows: int
    large_rows: int
    rounds: int


def measure_metrics(plan: Plan, *, say: Say) -> Report:
    """Measure on servers of their own."""
    with bench_servers() as servers:
        figures, sides = _measure_year(servers, plan, say)
        figures += _measure_memory(servers, plan.large_rows, say)
        machine = describe(postgres_dsn=servers.stack.postgres_dsn, redis_url=servers.stack.redis_url)
    sizes = {f"events of {DAYS} days": plan.rows, "events of the large day": plan.large_rows}
    return Report(machine, {**sizes, "rounds": plan.rounds}, figures, sides)


def _measure_year(servers: Servers, plan: Plan, say: Say) -> tuple[list[Figure], dict[str, list[float]]]:
    with (
        servers.fresh_database() as dsn,
        tempfile.TemporaryDirectory(prefix="activity-bench-") as folder,
        open_hot(dsn) as (statements, bulk),
    ):
        say(f"storing {plan.rows:,} events of {DAYS} days")
        store = ArchiveStore(str(Path(folder) / "archive"))
        lines = simulate(days=DAYS, events=plan.rows, seed=1, until=datetime.now(UTC))
        load_events(servers, dsn, lines, hot_days=HOT_DAYS)
        archive_days(statements, bulk, store, due_days(statements, hot_since=hot_since(today(), HOT_DAYS)))
        days = [day.day for day in list_days(statements)]

        def refresh(*some: date) -> float:
            started = time.perf_counter()
            refresh_metrics(statements, bulk, store, some)
            return time.perf_counter() - started

        measured = take_turns(
            {
                "all days": partial(refresh, *days),
                "one hot day": partial(refresh, today() - ONE_DAY),
                "one cold day": partial(refresh, today() - COLD_DAY),
            },
            rounds=plan.rounds,
            unit=UNIT,
            say=say,
        )
    rebuilt = measured["all days"]
    figures = [Figure(f"all {len(days)} days", rebuilt.median, UNIT)]
    for name in ("one hot day", "one cold day"):
        figures += [
            Figure(name, measured[name].median, UNIT),
            Figure(f"{name} / all days", measured[name].over(rebuilt), "x", 0.01, "at most"),
        ]
    return figures, {f"{name} {UNIT}": side.measurements for name, side in measured.items()}


def _measure_memory(servers: Servers, rows: int, say: Say) -> list[Figure]:
    say(f"storing a day of {rows:,} rows")
    with stored_day(servers, rows, sealed=False) as day:
        counted, peak_bytes = run_child(
            ["activity_pipeline", "metrics", "--days", f"{day.day}..{day.day}", "--json"],
            {"ACTIVITY_POSTGRES_DSN": day.dsn, "ACTIVITY_REDIS_URL": servers.stack.redis_url},
        )
    if sum(row["count"] for row in counted) != day.rows:
        raise ActivityError(f"{day.rows} events were not counted as so many")
    name = f"peak memory of metrics, a day of {day.rows:,} rows"
    return [Figure(name, peak_bytes / 2**20, "MiB", 2 * 1024, "at most")]
