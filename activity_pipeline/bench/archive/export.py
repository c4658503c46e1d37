"""A day's export and its whole cycle, against raw COPY and against what others export with (sides.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

from activity_pipeline.bench.archive.day import StoredDay
from activity_pipeline.bench.archive.sides import SIDES
from activity_pipeline.bench.child import run_child
from activity_pipeline.bench.figures import Figure
from activity_pipeline.bench.turns import Say, take_turns
from activity_pipeline.errors import ActivityError, SettingsError

UNIT = "rows/s"
EXPORT = "export"
CYCLE = "archive"

PEERS = {"dlt, connectorx": 3.0, "dlt, pyarrow": 3.0, "polars, adbc": 2.0, "polars, psycopg": 2.0}
"""How many times as quick the export should be."""


@dataclass
class ExportBench:
    """All sides over one day.

    Attributes:
        day: The day.
        size_bytes: Size of the archived day.
    """

    day: StoredDay
    size_bytes: int = 0

    def rate(self, side: str) -> float:
        """Run a side in a process of its own; return its rate, rows per second."""
        if side in {EXPORT, CYCLE}:
            with self.day.copy() as dsn:
                taken = self._run(side, dsn)
            self.size_bytes = taken["size_bytes"]
        else:
            taken = self._run(side, self.day.dsn)
        return self.day.rows / float(taken["seconds"])

    def _run(self, side: str, dsn: str) -> dict[str, Any]:
        module = "activity_pipeline.bench.archive.sides"
        taken: dict[str, Any]
        taken, _ = run_child([module, side, dsn, self.day.day.isoformat()], {})
        if taken["rows"] != self.day.rows:
            raise ActivityError(f"{side} has moved {taken['rows']} of {self.day.rows} events")
        return taken


def must_have_peers() -> None:
    """Refuse to begin without the packages that the archive measures itself against.

    Raises:
        SettingsError: One is not installed.
    """
    if any(find_spec(name) is None for name in ("dlt", "connectorx", "polars")):
        raise SettingsError("bench archive needs its peers: pip install 'activity-pipeline[bench]'")


def measure_export(
    bench: ExportBench, *, peers: bool, rounds: int, say: Say
) -> tuple[list[Figure], dict[str, list[float]]]:
    """Measure all sides in turns; return figures, and every measurement by side."""
    sides: dict[str, Callable[[], float]] = {
        side: partial(bench.rate, side) for side in SIDES if peers or side not in PEERS
    }
    measured = take_turns(sides, rounds=rounds, unit=UNIT, say=say)
    copied, export, cycle = measured["copy"], measured[EXPORT], measured[CYCLE]
    figures = [
        Figure("raw binary COPY, thrown away", copied.median, UNIT),
        Figure("export", export.median, UNIT),
        Figure("whole cycle", cycle.median, UNIT),
        Figure("export / raw COPY", export.over(copied), "x", 0.6),
        Figure("whole cycle / raw COPY", cycle.over(copied), "x", 0.3),
    ]
    for name, factor in PEERS.items():
        if name in measured:
            figures += [
                Figure(name, measured[name].median, UNIT),
                Figure(f"export / {name}", export.over(measured[name]), "x", factor),
            ]
    rates = {f"{name} {UNIT}": side.measurements for name, side in measured.items()}
    return figures, rates
