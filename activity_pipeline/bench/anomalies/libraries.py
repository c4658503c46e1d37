"""The detector beside forecasting models of statsforecast, on the same simulated traffic.

Each model forecasts the square root of every series' count one day ahead (the transformation of Anscombe
1948, which makes the spread of counts even), and a day is flagged where it is too many standard deviations
away. How many those are is chosen on seeds of their own, so that the models raise as many false alarms there
as the detector does.
"""

from __future__ import annotations

import time
from importlib import import_module
from typing import Any, Final

import numpy as np
import polars as pl

from activity_pipeline.anomalies.detect import detect
from activity_pipeline.bench.anomalies.incidents import Score, Subject
from activity_pipeline.bench.anomalies.traffic import Traffic, simulate
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.turns import Say
from activity_pipeline.errors import SettingsError

TUNING_SEEDS: Final = range(10)
FORECAST_SEEDS: Final = (0, 1)
"""Those of them that the models forecast: they are slow."""

FIRST_SEED: Final = 10
MODELS: Final = ("HoltWinters", "SeasonalNaive")
OURS: Final = "ours"
WEEK: Final = 7
REFIT_DAYS: Final = 7
LEVEL: Final = 90
NORMAL_95: Final = 1.6448536269514722
"""Where the upper end of that level lies, in standard deviations."""

KINDS: Final = ("spike", "drop")
EACH: Final = "/1,000 series-days"


def measure_libraries(*, seeds: int, series: int, say: Say) -> Report:
    """Judge days' volumes by the detector and by each model, and score the flags of all.

    Args:
        seeds: How many simulations.
        series: (source, action) in each.
        say: Told of each simulation.

    Raises:
        SettingsError: statsforecast is not installed.
    """
    try:
        forecasting = import_module("statsforecast"), import_module("statsforecast.models")
    except ImportError as error:
        raise SettingsError("the comparison needs statsforecast: install activity-pipeline[peers]") from error
    share = len(FORECAST_SEEDS) / len(TUNING_SEEDS)
    simulated = (simulate(seed, series=series) for seed in TUNING_SEEDS)
    alarms = round(share * sum(_false_alarms(traffic, _ours(traffic)) for traffic in simulated))
    tuning = [simulate(seed, series=series) for seed in FORECAST_SEEDS]
    distances = [_distances(traffic, *forecasting) for traffic in tuning]
    limits = {name: _limit(name, tuning, distances, alarms) for name in MODELS}
    say(f"{alarms} false alarms on tuning seeds; limits {limits}")
    scores = {name: Score() for name in (OURS, *MODELS)}
    tested = 0
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        traffic = simulate(seed, series=series)
        tested += traffic.series * len(traffic.days)
        incidents = [each for each in traffic.incidents if each.kind in KINDS]
        started = time.perf_counter()
        flags = {OURS: _ours(traffic)}
        scores[OURS].seconds += time.perf_counter() - started
        found = _distances(traffic, *forecasting)
        for name in MODELS:
            flags[name] = _flags(found, name, limits[name])
            scores[name].seconds += found.item(0, f"{name} seconds")
        excused = traffic.excused | {each.subject for each in traffic.incidents}
        for name, score in scores.items():
            score.add(incidents, flags[name], excused)
        say(f"seed {seed}: " + ", ".join(f"{name} {flags[name].height} flags" for name in scores))
    figures = list(_figures(scores, tested))
    sizes = {"simulations": seeds, "series": series, "series-days judged": tested}
    return Report(describe(packages=("numpy", "polars", "scipy", "statsforecast")), sizes, figures, {})


def _figures(scores: dict[str, Score], tested: int) -> list[Figure]:
    keys = sorted(key for key in scores[OURS].planted if key[2] == "large")
    figures = [
        Figure(f"{kind}, {strength}: {name}", score.recall(kind, strength, group), "share")
        for kind, strength, group in keys
        for name, score in scores.items()
    ]
    for name, score in scores.items():
        alarms = 1000 * sum(score.false_alarms.values()) / tested
        figures.append(Figure(f"false alarms: {name}", alarms, EACH))
    figures += [
        Figure(f"series-days judged: {name}", tested / score.seconds, "1/s") for name, score in scores.items()
    ]
    return figures


def _ours(traffic: Traffic) -> pl.DataFrame:
    found = detect(traffic.daily, traffic.days, through=traffic.days[-1])
    return found.filter(pl.col("kind").is_in(KINDS) & (pl.col("action") != "")).select(
        "date", "kind", "source", "action", user_id=pl.lit(None, pl.String)
    )


def _distances(traffic: Traffic, forecast: Any, models: Any) -> pl.DataFrame:
    """Return each judged series-day's distance from each model's forecast, in standard deviations.

    Columns: date, source, action, one of each model, and its seconds.
    """
    counts = traffic.daily.group_by("date", "source", "action").agg(pl.col("count").sum())
    first = min(counts["date"])
    days = pl.DataFrame({"date": pl.date_range(first, traffic.days[-1], eager=True)})
    # Of what is new no model knows anything.
    known = counts.filter(pl.col("date") < traffic.days[0])
    grid = known.select("source", "action").unique(maintain_order=True).join(days, how="cross")
    table = (
        grid.join(counts, on=["source", "action", "date"], how="left")
        .sort("source", "action", "date")
        .select(
            unique_id=pl.concat_str("source", "action", separator="\t"),
            ds=pl.col("date").cast(pl.Datetime("us")),
            y=(pl.col("count").fill_null(0) + 0.375).sqrt(),
        )
    )
    answer: pl.DataFrame | None = None
    for name in MODELS:
        model = getattr(models, name)(season_length=WEEK)
        started = time.perf_counter()
        judged = forecast.StatsForecast(models=[model], freq="1d", n_jobs=1).cross_validation(
            df=table, h=1, step_size=1, n_windows=len(traffic.days), level=[LEVEL],
            refit=REFIT_DAYS if name == "HoltWinters" else True,
        )  # fmt: skip
        seconds = time.perf_counter() - started
        spread = (pl.col(f"{name}-hi-{LEVEL}") - pl.col(name)) / NORMAL_95
        scored = judged.select(
            date=pl.col("ds").cast(pl.Date),
            source=pl.col("unique_id").str.split("\t").list.get(0),
            action=pl.col("unique_id").str.split("\t").list.get(1),
            **{
                name: pl.when(spread > 0).then((pl.col("y") - pl.col(name)) / spread).otherwise(0.0),
                f"{name} seconds": pl.lit(seconds),
            },
        )
        answer = scored if answer is None else answer.join(scored, on=["date", "source", "action"])
    if answer is None:
        raise AssertionError("there are models")
    return answer


def _flags(distances: pl.DataFrame, name: str, limit: float) -> pl.DataFrame:
    return distances.filter(pl.col(name).abs() > limit).select(
        "date",
        "source",
        "action",
        kind=pl.when(pl.col(name) > 0).then(pl.lit("spike")).otherwise(pl.lit("drop")),
        user_id=pl.lit(None, pl.String),
    )


def _false_alarms(traffic: Traffic, flags: pl.DataFrame) -> int:
    explained = traffic.excused | {each.subject for each in traffic.incidents}
    subjects = flags.select("date", "source", "action").iter_rows()
    return sum(Subject(*subject) not in explained for subject in subjects)


def _limit(name: str, tuning: list[Traffic], distances: list[pl.DataFrame], alarms: int) -> float:
    """Return the distance beyond which lie as many series-days without a reason as there are alarms."""
    far: list[float] = []
    for traffic, found in zip(tuning, distances, strict=True):
        explained = traffic.excused | {each.subject for each in traffic.incidents}
        rows = found.select("date", "source", "action", name).iter_rows()
        far += [abs(value) for *subject, value in rows if Subject(*subject) not in explained]
    return float(np.sort(far)[-max(alarms, 1) - 1])
