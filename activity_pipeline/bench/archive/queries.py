"""Questions to cold files, each by a connection of its own that has read nothing yet.

An opening is timed apart from its query: the archive's reads the manifests and makes the views. Files
are in the page cache of the system for either side, after a first round that does not count.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from activity_pipeline.archive import open_duckdb
from activity_pipeline.bench.archive.year import Year
from activity_pipeline.bench.figures import Figure
from activity_pipeline.bench.turns import Say, Side, take_turns
from activity_pipeline.errors import ActivityError
from activity_pipeline.hot.queries import load_queries

SQL = load_queries(__file__)
Open = Callable[[], duckdb.DuckDBPyConnection]

NAMES = {"one_user": "one user's events", "source_and_day": "count by source and day"}
SPEED_UP = 5.0
LONGEST_S = 0.3


@dataclass
class Reader:
    """Files that are asked.

    Attributes:
        open: Opens a connection with the view `activity_logs`.
        opening_s: How long that took, each time.
        answers: The last answer to each query.
    """

    open: Open
    opening_s: list[float] = field(default_factory=list)
    answers: dict[str, pa.Table] = field(default_factory=dict)

    def ask(self, query: str, parameters: Mapping[str, object]) -> float:
        """Ask by a new connection; return the time from the query to its last row, in seconds."""
        started = time.perf_counter()
        with self.open() as connection:
            self.opening_s.append(time.perf_counter() - started)
            started = time.perf_counter()
            self.answers[query] = connection.sql(SQL[query], params=dict(parameters)).to_arrow_table()
            return time.perf_counter() - started


def open_unsorted(folder: Path) -> duckdb.DuckDBPyConnection:
    """Return a connection with the archive's view over files that nobody sorted."""
    connection = duckdb.connect(":memory:")
    connection.execute("set timezone = 'UTC'")
    files = connection.read_parquet(str(folder / "*.parquet"))
    files.select("*, cast(timestamp as date) as date").create_view("activity_logs")
    return connection


def measure_year(year: Year, *, rounds: int, say: Say) -> tuple[list[Figure], dict[str, list[float]]]:
    """Ask both sides in turns; return figures, and every measurement by side.

    Raises:
        ActivityError: The two sides say different things.
    """
    archive = Reader(lambda: open_duckdb(year.archive))
    unsorted = Reader(lambda: open_unsorted(year.unsorted))
    with archive.open() as connection:
        row = connection.execute(SQL["typical_user"]).fetchone()
    parameters: dict[str, Mapping[str, object]] = {
        "one_user": {"user": row[0] if row else None},
        "source_and_day": {},
    }
    figures: list[Figure] = []
    rates: dict[str, list[float]] = {}
    for query, name in NAMES.items():
        sides: dict[str, Callable[[], float]] = {
            f"{name}, archived": partial(archive.ask, query, parameters[query]),
            f"{name}, unsorted": partial(unsorted.ask, query, parameters[query]),
        }
        for warm_up in sides.values():
            warm_up()
        if not archive.answers[query].equals(unsorted.answers[query].cast(archive.answers[query].schema)):
            raise ActivityError(f"archive and unsorted files differ in {name}")
        ours, theirs = take_turns(sides, rounds=rounds, unit="s", say=say).values()
        figures += [
            Figure(ours.name, ours.median, "s", LONGEST_S, "at most"),
            Figure(theirs.name, theirs.median, "s"),
            Figure(f"{name}, unsorted / archived", theirs.over(ours), "x", SPEED_UP),
        ]
        rates |= {f"{side.name} s": side.measurements for side in (ours, theirs)}
    opening = Side("opening", "s", archive.opening_s)
    figures.append(Figure("opening the archive of a year", opening.median, "s"))
    return figures, rates
