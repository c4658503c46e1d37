"""The flags of a file of real events, the most unusual first, for a person to judge."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import duckdb
import polars as pl

from activity_pipeline.anomalies.detect import detect, detect_hours, detect_users
from activity_pipeline.anomalies.model import DEFAULT_SETTINGS
from activity_pipeline.anomalies.newcomers import find_newcomers
from activity_pipeline.anomalies.refresh import frame, with_text_ids
from activity_pipeline.bench.anomalies.traffic import first_seen
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.turns import Say
from activity_pipeline.errors import ActivityError
from activity_pipeline.events.days import day_range
from activity_pipeline.metrics import counting as metrics
from activity_pipeline.metrics.counting import SCHEMAS, Metric

SHOWN: Final = 20
SEVERITIES: Final = ("critical", "warning", "info")

DAYS_AT_ONCE: Final = 28
"""Of hours, for memory."""


class EventFileError(ActivityError):
    """A file does not hold events, a JSON document a line. Fields: `path`."""


def measure_real(file: Path, *, say: Say) -> Report:
    """Judge every day of a file as the pipeline does, and list what is most unusual.

    Args:
        file: Events as `import` takes them: newline-delimited JSON, compressed or not.
        say: Told of each step.

    Raises:
        EventFileError: The file does not hold events.
    """
    counts = count(file)
    say("counted")
    started = time.perf_counter()
    found = judge_all(counts)
    seconds = time.perf_counter() - started
    days = counts["daily"]["date"].n_unique()
    rank = pl.col("severity").replace_strict({name: place for place, name in enumerate(SEVERITIES)})
    # Of equal severity the least likely; of what is less likely than any number, the largest change.
    change = (pl.col("observed") - pl.col("expected")).abs()
    worst = found.sort(rank, "p_value", -change, "date", "kind", "source", "action", "user_id").head(SHOWN)
    figures = [
        Figure(f"flags, {kind}, {severity}", float(flags), "")
        for kind, severity, flags in found.group_by("kind", "severity").len().sort("kind", "severity").rows()
    ]
    figures += [
        Figure("flags", float(found.height), ""),
        Figure("days with a flag of warning or more", _loud_days(found) / days, "share"),
        Figure("seconds", seconds, "s"),
    ]
    shown: list[dict[str, object]] = worst.select("date", "severity", "p_value", "sentence").to_dicts()
    for row in shown:
        row["p_value"] = f"{row['p_value']:.1e}"
    sizes = {"events": int(counts["daily"]["count"].sum()), "days with events": days}
    tables = {f"The {len(shown)} most unusual": shown}
    return Report(describe(packages=("numpy", "polars", "scipy")), sizes, figures, {}, tables)


def count(file: Path) -> Mapping[Metric, pl.DataFrame]:
    """Count a file's events as the metrics do.

    Raises:
        EventFileError: The file does not hold events.
    """
    with duckdb.connect() as connection:
        try:
            connection.execute("set timezone = 'UTC'")
            connection.execute("set variable file = ?", [str(file)])
            connection.execute((Path(__file__).parent / "real.sql").read_text())
            tables = {metric: metrics.count(connection, metric) for metric in SCHEMAS}
        except duckdb.Error as error:
            raise EventFileError(f"{file} does not hold events: {error}", path=file) from error
    return {
        "daily": frame(tables["daily"]),
        "hourly": frame(tables["hourly"]),
        "users": with_text_ids(tables["users"]),
    }


def judge_all(counts: Mapping[Metric, pl.DataFrame]) -> pl.DataFrame:
    """Judge each day from the first event to the last, ANOMALY_SCHEMA."""
    daily = counts["daily"]
    known = sorted(daily["date"].unique().to_list())
    days = list(day_range(known[0], known[-1]))
    by_day = detect(daily, days, through=days[-1])
    found = [by_day, find_newcomers(first_seen(daily), days), detect_users(counts["users"], days)]
    back = timedelta(days=DEFAULT_SETTINGS.hour_days)
    for start in range(0, len(days), DAYS_AT_ONCE):
        some = days[start : start + DAYS_AT_ONCE]
        of_hours = counts["hourly"].filter(pl.col("hour").dt.date().is_between(some[0] - back, some[-1]))
        found.append(detect_hours(of_hours, by_day, some, through=days[-1]))
    return pl.concat(found)


def _loud_days(found: pl.DataFrame) -> int:
    return found.filter(pl.col("severity") != "info")["date"].n_unique()
