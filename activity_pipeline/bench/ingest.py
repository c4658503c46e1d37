"""The drain against what Postgres can take at all, and against the design that it replaces.

side         what it does with the same events
drain        as shipped, a process of its own: Redis stream, frames, verdicts, COPY, ledger, offset, trim
copy         binary COPY of the very same rows out of memory into identical tables (bench/raw_copy.py)
list         LRANGE and LTRIM of 500, INSERTs of 100, all indexes (bench/list_queue.py), on fewer events
duplicates   the drain, where one event in ten was sent twice
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date

from activity_pipeline.bench import list_queue, raw_copy
from activity_pipeline.bench.child import run_child
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.load import fill_queue, shop_lines
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.servers import Servers, bench_servers
from activity_pipeline.bench.turns import Say, take_turns
from activity_pipeline.errors import ActivityError
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.days import ensure_days, list_days

DUPLICATE_EVERY = 10
LIST_SHARE = 20
"""The list's side gets one event in so many, or a round would take minutes."""


@dataclass
class IngestBench:
    """All sides over one set of events."""

    servers: Servers
    lines: Sequence[bytes]
    rows: bytes = b""
    days: list[date] = field(default_factory=list)
    peak_bytes: int = 0

    def drain(self) -> float:
        """Return the drain's rate, events per second of its busy time."""
        return self._drained(self.lines, keep=not self.rows)

    def duplicates(self) -> float:
        """Return the rate where one event in ten comes twice."""
        step = DUPLICATE_EVERY
        again = [line for n, line in enumerate(self.lines) for line in [line] * (1 + (n % step == 0))]
        return self._drained(again, keep=False)

    def copy(self) -> float:
        """Return the rate of the raw COPY, rows per second."""
        with self.servers.fresh_database() as dsn, connect(dsn) as connection:
            return len(self.lines) / raw_copy.copy_in(connection, self.rows, self.days)

    def list(self) -> float:
        """Return the rate of the list's design, events per second."""
        lines = self.lines[::LIST_SHARE]
        with self.servers.fresh_database() as dsn, connect(dsn) as connection:
            list_queue.prepare(connection, self.servers.queue, lines, self.days)
            started = time.perf_counter()
            moved = list_queue.drain_list(connection, self.servers.queue)
            return moved / (time.perf_counter() - started)

    def _drained(self, lines: Sequence[bytes], *, keep: bool) -> float:
        with self.servers.fresh_database() as dsn:
            if self.days:  # as for the COPY; in life they are made ahead as well
                with connect(dsn) as connection:
                    ensure_days(connection, self.days, hot_since=min(self.days))
            fill_queue(self.servers, lines)
            report, peak_bytes = drain_in_child(dsn, self.servers.stack.redis_url)
            if report["received"] != len(lines) or report["inserted"] != len(set(lines)):
                raise ActivityError(f"the drain of {len(lines)} events reports {report}")
            self.peak_bytes = max(self.peak_bytes, peak_bytes)
            if keep:
                with connect(dsn) as connection:
                    self.rows = raw_copy.copy_out(connection)
                    self.days = [day.day for day in list_days(connection)]
            return float(report["received"] / report["duration_s"])


def drain_in_child(dsn: str, redis_url: str) -> tuple[dict[str, float], int]:
    """Run `activity-pipeline drain` to its end; return its report and its peak memory in bytes."""
    return run_child(
        ["activity_pipeline", "drain", "--json"],
        {"ACTIVITY_POSTGRES_DSN": dsn, "ACTIVITY_REDIS_URL": redis_url},
    )


def measure_ingest(*, events: int, rounds: int, say: Say) -> Report:
    """Measure all sides in turns over a simulated shop's events of 30 days.

    Args:
        events: Number of events, each about 380 bytes.
        rounds: How often each side is measured; the figures are medians.
        say: Told of each measurement.
    """
    say(f"making {events:,} events")
    with bench_servers() as servers:
        bench = IngestBench(servers, shop_lines(events))
        say(f"once to warm up and to have the rows: {bench.drain():,.0f} events/s")
        sides: dict[str, Callable[[], float]] = {
            "drain": bench.drain,
            "copy": bench.copy,
            "duplicates": bench.duplicates,
            "list": bench.list,
        }
        measured = take_turns(sides, rounds=rounds, unit="events/s", say=say)
        drained = measured["drain"]
        figures = [
            Figure("drain", drained.median, "events/s"),
            Figure("raw binary COPY of the same rows", measured["copy"].median, "events/s"),
            Figure("LRANGE, INSERTs of 100, all indexes", measured["list"].median, "events/s"),
            Figure("drain / raw COPY", drained.over(measured["copy"]), "x", 0.75),
            Figure("drain / list design", drained.over(measured["list"]), "x", 8),
            Figure("one in ten twice / none twice", measured["duplicates"].over(drained), "x", 0.5),
            Figure("peak memory of the drain", bench.peak_bytes / 2**20, "MiB", 1024, "at most"),
        ]
        machine = describe(postgres_dsn=servers.stack.postgres_dsn, redis_url=servers.stack.redis_url)
    sizes = {"events": events, "bytes an event": sum(map(len, bench.lines)) // events, "rounds": rounds}
    rounds_of = {name: side.measurements for name, side in measured.items()}
    return Report(machine, sizes, figures, rounds_of)
