"""The Numenta Anomaly Benchmark's scoring, with its standard profile, and a reader of its files.

Source: Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms", ICMLA 2015, and the
benchmark's own sweeper, version 1.1: a window is worth most where it is found first, an alarm outside
costs less just after a window, the start of each series is not scored, and one threshold serves all.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
import polars as pl

from activity_pipeline.anomalies.grid import Bools, Floats, Ints
from activity_pipeline.errors import ActivityError

WEIGHTS: Final = {"found": 1.0, "missed": 1.0, "false alarm": 0.11}
"""The standard profile."""

PROBATION: Final = 0.15
PROBATION_CAP: Final = 5000
"""The share at the start that is not scored, of so many rows at most."""

FAR: Final = 3.0
"""An alarm more windows than this after the last one, or before the first, has nothing to do with it."""

NEVER: Final = float("inf")
"""The threshold at which nothing is flagged."""

LABELS: Final = "combined_windows.json"


class BenchmarkFilesError(ActivityError):
    """The folder does not hold the benchmark's files. Fields: `path`."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """One series of the benchmark.

    Attributes:
        name: Its path below the benchmark's folder.
        times: Of each row, evenly spaced.
        counts: The values.
        windows: First and last row of each labelled anomaly, in order; for the scorer alone.
    """

    name: str
    times: list[datetime]
    counts: Floats
    windows: list[tuple[int, int]]

    @property
    def per_day(self) -> int:
        """Rows a day."""
        return round(timedelta(days=1) / (self.times[1] - self.times[0]))

    @property
    def probation(self) -> int:
        """How many rows at the start are not scored."""
        return int(PROBATION * min(len(self.counts), PROBATION_CAP))


@dataclass(frozen=True, slots=True)
class Scored:
    """What a detector reached on several series with one threshold.

    Attributes:
        threshold: Rows whose score is at least this are alarms.
        raw: Score of each series; its number of windows at best, minus that with no alarm.
        found: Windows with an alarm in them, of each series.
        false_alarms: Alarms outside, of each series.
        windows: Labelled anomalies of each series.
    """

    threshold: float
    raw: list[float]
    found: list[int]
    false_alarms: list[int]
    windows: list[int]

    @property
    def total(self) -> float:
        """Score of all series: 0 for no alarm at all, 100 for each window at its start and nothing else."""
        return normalised(sum(self.raw), sum(self.windows))


def read(folder: Path) -> list[Labelled]:
    """Read every series that has labels.

    Args:
        folder: Holds `combined_windows.json` and, at the paths that it names, CSV files of timestamp
            and value.

    Raises:
        BenchmarkFilesError: A file is missing or is not what it should be.
    """
    path = folder / LABELS
    try:
        labels = json.loads(path.read_text())
        return [_read_series(path := folder / name, name, labels[name]) for name in sorted(labels)]
    except (OSError, ValueError, pl.exceptions.PolarsError) as error:
        raise BenchmarkFilesError(f"{path} is not the benchmark's: {error}", path=path) from error


def sigmoid(position: Floats) -> Floats:
    """Return the worth of an alarm: 0.987 at the start of a window, 0 at its end, -1 far after it.

    Args:
        position: In widths of the window, from its end: -1 is its start, 1 a width after it.
    """
    return np.where(position > FAR, -1.0, 2 / (1 + np.exp(5 * np.minimum(position, FAR))) - 1)


def row_worth(series: Labelled) -> tuple[Floats, Ints]:
    """What an alarm at each row is worth, and the window that the row is in, -1 outside of all.

    Rows of the probation are worth nothing and in no window.
    """
    rows = np.arange(len(series.counts))
    window = np.full(rows.size, -1)
    position = np.full(rows.size, np.inf)
    for number, (first, last) in enumerate(series.windows):
        width = last - first + 1
        window[first : last + 1] = number
        position[first : last + 1] = -(last - rows[first : last + 1] + 1) / width
        position[last + 1 :] = (rows[last + 1 :] - last) / max(width - 1, 1)
    best = float(sigmoid(np.array(-1.0)))
    worth = sigmoid(position) * np.where(window >= 0, WEIGHTS["found"] / best, WEIGHTS["false alarm"])
    worth[: series.probation], window[: series.probation] = 0.0, -1
    return worth, window


def evaluate(series: Sequence[Labelled], scores: Sequence[Floats]) -> Scored:
    """Score a detector at the one threshold, of all that its scores allow, that suits it best.

    Args:
        series: The benchmark.
        scores: Of each series one number a row, more for what is less usual.
    """
    threshold = best_threshold(series, scores)
    return at_threshold(series, [score >= threshold for score in scores], threshold)


def at_threshold(series: Sequence[Labelled], alarms: Sequence[Bools], threshold: float = NEVER) -> Scored:
    """Score alarms as they are.

    Args:
        series: The benchmark.
        alarms: Of each series which rows are flagged.
        threshold: That they come from, for the report.
    """
    raw, found, false_alarms = [], [], []
    for one, flagged in zip(series, alarms, strict=True):
        worth, window = row_worth(one)
        scored = flagged & (np.arange(flagged.size) >= one.probation)
        outside = scored & (window < 0)
        hits = [worth[scored & (window == number)] for number in range(len(one.windows))]
        found.append(sum(hit.size > 0 for hit in hits))
        false_alarms.append(int(outside.sum()))
        inside = sum(float(hit.max()) if hit.size else -WEIGHTS["missed"] for hit in hits)
        raw.append(inside + float(worth[outside].sum()))
    return Scored(threshold, raw, found, false_alarms, [len(one.windows) for one in series])


def best_threshold(series: Sequence[Labelled], scores: Sequence[Floats]) -> float:
    """Sweep a threshold down over all rows of all series and keep the one with the highest total."""
    score, gain = [], []
    for one, own in zip(series, scores, strict=True):
        worth, window = row_worth(one)
        scored = np.arange(own.size) >= one.probation
        outside = scored & (window < 0)
        score.append(own[outside])
        gain.append(worth[outside])
        for number in range(len(one.windows)):
            inside = np.flatnonzero(scored & (window == number))
            order = inside[np.argsort(-own[inside], kind="stable")]
            best = np.maximum.accumulate(worth[order])
            score.append(own[order])
            gain.append(np.diff(best, prepend=-WEIGHTS["missed"]))
    all_scores = np.concatenate(score)
    order = np.argsort(-all_scores, kind="stable")
    ordered, total = all_scores[order], np.cumsum(np.concatenate(gain)[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # equal scores are flagged together
    if not total.size or total[last].max() <= 0:
        return NEVER
    return float(ordered[last[np.argmax(total[last])]])


def normalised(raw: float, windows: int) -> float:
    """Put a raw score on the published scale: 0 for no alarm at all, 100 for a perfect detector."""
    null = -WEIGHTS["missed"] * windows
    return 100 * (raw - null) / (WEIGHTS["found"] * windows - null)


def _read_series(path: Path, name: str, labels: list[list[str]]) -> Labelled:
    table = pl.read_csv(path, schema={"timestamp": pl.String, "value": pl.Float64}).with_columns(
        pl.col("timestamp").str.to_datetime("%Y-%m-%d %H:%M:%S")
    )
    times = table["timestamp"].to_list()
    row = {time: number for number, time in enumerate(times)}
    windows = []
    for first, last in labels:
        limits = [datetime.fromisoformat(limit) for limit in (first, last)]
        if not all(limit in row for limit in limits):
            raise ValueError(f"the window {first} to {last} is not of its rows")
        windows.append((row[limits[0]], row[limits[1]]))
    return Labelled(name, times, table["value"].to_numpy(), sorted(windows))
