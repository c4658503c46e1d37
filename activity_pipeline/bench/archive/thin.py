"""Years of days with a few events each: a file's, or a simulated shop's that is small.

They come late, as an import of old events does, and are archived, asked, compacted, and asked again.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

from activity_pipeline.archive import ArchiveStore, archive_days, open_duckdb
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.bench.archive.day import end_of
from activity_pipeline.bench.archive.queries import Reader
from activity_pipeline.bench.figures import Figure
from activity_pipeline.bench.load import load_events, load_file
from activity_pipeline.bench.servers import Servers
from activity_pipeline.bench.turns import Say, Side
from activity_pipeline.events.days import hot_since, today
from activity_pipeline.hot.connection import open_hot
from activity_pipeline.hot.days import due_days, list_days
from activity_pipeline.local.shop import simulate

HOT_DAYS = 30
FIRST_DAY = date(2013, 1, 1)
DAYS_AT_ONCE = 100
EVENTS_PER_DAY = 50
LONGEST_S = 1.0


def measure_thin(
    servers: Servers, path: Path | None, *, days: int, rounds: int, say: Say
) -> tuple[list[Figure], dict[str, list[float]]]:
    """Archive and compact thin days; return figures, and every time of a count by side.

    Args:
        servers: Whose Postgres it is.
        path: File of the events; without one they are simulated.
        days: Days to simulate.
        rounds: How often each question is asked.
        say: Told how it goes.
    """
    with (
        servers.fresh_database() as dsn,
        tempfile.TemporaryDirectory(prefix="activity-bench-") as folder,
        open_hot(dsn) as (statements, bulk),
    ):
        started = time.perf_counter()
        if path:
            rows = load_file(servers, dsn, path, hot_days=HOT_DAYS)
        else:
            rows = load_events(servers, dsn, simulated(days), hot_days=HOT_DAYS)
        stored_s = time.perf_counter() - started
        due = due_days(statements, hot_since=hot_since(today(), HOT_DAYS))
        say(f"stored {rows:,} events of {len(due):,} days in {stored_s:.1f} s")
        store = ArchiveStore(f"{folder}/archive")
        reader = Reader(lambda: open_duckdb(store.url))
        started = time.perf_counter()
        archive_days(statements, bulk, store, due)
        archived_s = time.perf_counter() - started
        before = _count(reader, rounds, "opening and count by year, not compacted")
        say(f"archived in {archived_s:.1f} s, counted by year in {before.median:.2f} s")
        started = time.perf_counter()
        files = list(compact(statements, store))
        compacted_s = time.perf_counter() - started
        after = _count(reader, rounds, "opening and count by year, compacted")
        size_bytes = sum(day.archived_bytes for day in list_days(statements))
    whose = f"{len(due):,} thin days"
    figures = [
        Figure(f"archiving {whose}", archived_s, "s"),
        Figure(f"compacting them to {len(files)} files", compacted_s, "s"),
        Figure("size of thin days, compacted", size_bytes / rows, "B/row"),
        Figure(before.name, before.median, "s"),
        Figure(after.name, after.median, "s", LONGEST_S, "at most"),
        Figure("of it opening, compacted", statistics.median(reader.opening_s), "s"),
    ]
    return figures, {f"{side.name} s": side.measurements for side in (before, after)}


def simulated(days: int) -> Iterator[list[bytes]]:
    """Yield the events of so many days from FIRST_DAY on."""
    for start in range(0, days, DAYS_AT_ONCE):
        part = min(DAYS_AT_ONCE, days - start)
        last = FIRST_DAY + timedelta(days=start + part - 1)
        yield from simulate(days=part, events=part * EVENTS_PER_DAY, seed=start, until=end_of(last))


def _count(reader: Reader, rounds: int, name: str) -> Side:
    """Count by year in each round, after one that does not count; return the times with the opening."""
    reader.ask("years", {})
    reader.opening_s.clear()
    query_s = [reader.ask("years", {}) for _ in range(rounds)]
    return Side(name, "s", [sum(pair) for pair in zip(reader.opening_s, query_s, strict=True)])
