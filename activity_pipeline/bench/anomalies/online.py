"""The detector of minutes on the Numenta Anomaly Benchmark's series, beside others scored alike."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np

from activity_pipeline.anomalies.grid import Floats
from activity_pipeline.anomalies.minutes import told, unusualness
from activity_pipeline.bench.anomalies.nab import Labelled, Scored, evaluate, normalised, read
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.turns import Say

TARGET: Final = 70.0
OURS: Final = "ours"

GAUSSIAN_ROWS: Final = 6400
GAUSSIAN_STEP: Final = 100
"""The benchmark's own windowed Gaussian: so many rows, moved on by so many."""

Detector = Callable[[Floats, int], Floats]
"""From the counts of a series, and how many of them a day has, to a score of each."""


def measure_online(folder: Path, *, say: Say) -> Report:
    """Score our detector and others on every series of the benchmark, one threshold each for all series.

    As the benchmark does for every detector, the threshold is the one that suits the series best.

    Args:
        folder: The benchmark's files.
        say: Told of each detector.

    Raises:
        BenchmarkFilesError: A file is missing or is not what it should be.
    """
    series = read(folder)
    rows: list[dict[str, object]] = []
    figures: list[Figure] = []
    for name, detector in DETECTORS.items():
        for often, chosen in (("", told), (", each alarm told", None)):
            scores = [detector(one.counts, one.per_day) for one in series]
            if chosen is not None:
                scores = [chosen(score, one.per_day) for score, one in zip(scores, series, strict=True)]
            scored = evaluate(series, scores)
            say(f"{name}{often}: {scored.total:.1f}")
            target = TARGET if name == OURS and chosen is not None else None
            figures.append(Figure(f"score, {name}{often}", scored.total, "of 100", target))
            if target is not None:
                rows = _rows(series, scored)
                figures.append(Figure("our threshold, -log10 of p", scored.threshold, ""))
    sizes = {"series": len(series), "rows": sum(len(one.counts) for one in series)}
    tables = {"Ours, a day's worst alarm told": rows}
    return Report(describe(packages=("numpy", "scipy")), sizes, figures, {}, tables)


def windowed_gaussian(counts: Floats, per_day: int) -> Floats:
    """Distance from the mean of a window before, in its standard deviations: the benchmark's baseline.

    Args:
        counts: Of each row.
        per_day: Not used.
    """
    del per_day
    rows = np.arange(len(counts))
    last = np.where(rows <= GAUSSIAN_ROWS, rows, rows - (rows - GAUSSIAN_ROWS) % GAUSSIAN_STEP)
    first = np.maximum(last - GAUSSIAN_ROWS, 0)
    size = np.maximum(last - first, 1)
    total, squares = (np.concatenate([[0.0], np.cumsum(power)]) for power in (counts, counts**2))
    mean = (total[last] - total[first]) / size
    variance = np.maximum((squares[last] - squares[first]) / size - mean**2, 1e-12)
    distance: Floats = np.where(rows > 0, np.abs(counts - mean) / np.sqrt(variance), 0.0)
    return distance


def silent(counts: Floats, per_day: int) -> Floats:
    """Nothing is ever unusual: the benchmark's null detector.

    Args:
        counts: Of each row.
        per_day: Not used.
    """
    del per_day
    return np.zeros(len(counts))


DETECTORS: Final[dict[str, Detector]] = {
    OURS: unusualness,
    "windowed Gaussian": windowed_gaussian,
    "null detector": silent,
}


def _rows(series: list[Labelled], scored: Scored) -> list[dict[str, object]]:
    each = zip(series, scored.windows, scored.found, scored.false_alarms, scored.raw, strict=True)
    rows: list[dict[str, object]] = [
        {
            "series": one.name,
            "windows": windows,
            "detected": found,
            "false positives": false,
            "score": round(normalised(raw, windows), 1),
        }
        for one, windows, found, false, raw in each
    ]
    total = {"series": "all", "windows": sum(scored.windows), "detected": sum(scored.found)}
    return [
        *rows,
        {**total, "false positives": sum(scored.false_alarms), "score": round(scored.total, 1)},
    ]
