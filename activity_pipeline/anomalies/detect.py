"""Counts in, anomalies out: `detect` for days, `detect_hours` and `detect_users`.

A verdict depends on the judged day and on the `settings.history_days` before it, on nothing
later and nothing else, so a backfill, a nightly run and a run of one day agree bit by bit.

False discoveries are controlled in families of tests that resemble each other: series by day, series by
hour, users. One family of all would let a hundred thousand users drown what happens to fifty series
(Efron 2008, Simultaneous inference: when should hypothesis testing problems be combined?).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from activity_pipeline.anomalies.explain import explain
from activity_pipeline.anomalies.grid import Bools, Grid, Ints
from activity_pipeline.anomalies.hours import judge_hours
from activity_pipeline.anomalies.judge import (
    CANDIDATE_SCHEMA,
    Judged,
    judge_failures,
    judge_silence,
    judge_volume,
)
from activity_pipeline.anomalies.model import ANOMALY_SCHEMA, DEFAULT_SETTINGS, DetectionSettings
from activity_pipeline.anomalies.tails import count_range, discoveries, share_limit
from activity_pipeline.anomalies.users import judge_users
from activity_pipeline.anomalies.verdict import VERDICT_SCHEMA

_NAMED_SCHEMA = pl.Schema({**CANDIDATE_SCHEMA, "source": pl.String(), "action": pl.String()})


def detect(
    metrics: pl.DataFrame,
    days: Collection[date],
    *,
    through: date,
    settings: DetectionSettings = DEFAULT_SETTINGS,
) -> pl.DataFrame:
    """Say what is unusual about the series on each of the days.

    Args:
        metrics: Daily counts: `date`, `source`, `action`, `status`, `count`; other columns are
            ignored. A day or series without a row had no event. Must reach back
            `settings.history_days` before the first judged day, as far as there is history.
        days: The days to judge, in any order.
        through: The last day that is over. A later day may show a spike or failures already,
            but is never called a drop or silent.
        settings: Thresholds.

    Returns:
        One row per anomaly, of `ANOMALY_SCHEMA`, sorted by date, source, action and kind.
    """
    if not days:
        return ANOMALY_SCHEMA.to_frame()
    first, last = min(days), max(days)
    origin = first - timedelta(days=settings.history_days)
    counts = _counts(metrics.filter(pl.col("date").is_between(origin, last)), settings)
    actions = Grid.of(counts, origin=origin, end=last)
    per_source = counts.group_by("source", "date").agg(pl.col("events", "failures").sum())
    sources = Grid.of(per_source.with_columns(action=pl.lit("")), origin=origin, end=last)

    judged, complete = _judged(days, origin, last), _complete(origin, last, through)
    answers = [
        *_about_sources(sources, judged & complete, settings),
        *_about_actions(actions, sources, judged, complete, settings),
    ]
    return explain(_found(answers, origin, settings))


def detect_hours(
    hourly: pl.DataFrame,
    by_day: pl.DataFrame,
    days: Collection[date],
    *,
    through: date,
    settings: DetectionSettings = DEFAULT_SETTINGS,
) -> pl.DataFrame:
    """Say which hours of the days had a burst or an outage that the day as a whole does not show.

    A spike or drop of a series that its day is flagged for is not told again of an hour. Of the hours
    of a day only the most extreme is told.

    Args:
        hourly: Counts by `hour`, `source`, `action`, from `settings.hour_days` before the first judged
            day on, as far as there is history; other columns are ignored.
        by_day: What `detect` found of the same days.
        days: The days to judge, in any order.
        through: The last day that is over; a later one has no outage yet.
        settings: Thresholds.

    Returns:
        One row per anomaly, of `ANOMALY_SCHEMA`, as `detect` returns them.
    """
    if not days:
        return ANOMALY_SCHEMA.to_frame()
    first, last = min(days), max(days)
    origin = first - timedelta(days=settings.hour_days)
    date_of = pl.col("hour").dt.date()
    counts = (
        hourly.filter(date_of.is_between(origin, last) & (pl.col("count") > 0))
        .group_by("source", "action", "hour")
        .agg(events=pl.col("count").sum())
    )
    actions = Grid.of_hours(counts, origin=origin, end=last)
    per_source = counts.group_by("source", date_of.alias("date")).agg(
        pl.col("events").sum(), failures=pl.lit(0)
    )
    sources = Grid.of(per_source.with_columns(action=pl.lit("")), origin=origin, end=last)
    active, source_of = _activity(sources, actions)
    judged, complete = _judged(days, origin, last), _complete(origin, last, through)
    answers = []
    for block in actions.blocks():
        answer = judge_hours(
            block,
            judged=judged,
            complete=complete,
            source_active=active[source_of[block.first : block.first + len(block.events)]],
            settings=settings,
        )
        answers.append(_named(answer, actions))
    found = _found(answers, origin, settings)
    return explain(found.join(by_day, on=["date", "kind", "source", "action"], how="anti"))


def detect_users(
    users: pl.DataFrame, days: Collection[date], *, settings: DetectionSettings = DEFAULT_SETTINGS
) -> pl.DataFrame:
    """Say which users did what neither they nor their peers do.

    Args:
        users: `date`, `user_id` (text), `events`, `failures`, `first_hour`, `last_hour`, from
            `settings.baseline_days` before the first judged day on; other columns are ignored.
        days: The days to judge, in any order.
        settings: Thresholds.

    Returns:
        One row per anomaly, of `ANOMALY_SCHEMA`, as `detect` returns them.
    """
    judged = sorted(set(days))
    candidates, tests = judge_users(users, judged, settings=settings)
    place = {day: number for number, day in enumerate(judged)}
    column = np.array([place[day] for day in candidates["date"]], dtype=np.int64)
    made = np.array([tests[day] for day in judged], dtype=np.int64)
    found = discoveries(column, candidates["p_value"].to_numpy(), made, settings.q)
    return explain(_verdicts(candidates.filter(found).with_columns(source=pl.lit(""), action=pl.lit(""))))


def _counts(metrics: pl.DataFrame, settings: DetectionSettings) -> pl.DataFrame:
    """Events and failed events of each source, action and day that has any."""
    failed = pl.col("status").str.to_lowercase().is_in(sorted(s.lower() for s in settings.failure_statuses))
    return (
        metrics.filter(pl.col("count") > 0)
        .group_by("source", "action", "date")
        .agg(events=pl.col("count").sum(), failures=pl.col("count").filter(failed).sum())
    )


def _about_sources(sources: Grid, judged: Bools, settings: DetectionSettings) -> Iterator[Judged]:
    for block in sources.blocks():
        yield _named(judge_silence(block, judged=judged, settings=settings), sources)


def _about_actions(
    actions: Grid, sources: Grid, judged: Bools, complete: Bools, settings: DetectionSettings
) -> Iterator[Judged]:
    active, source_of = _activity(sources, actions)
    for block in actions.blocks():
        block_sources = source_of[block.first : block.first + len(block.events)]
        volume = judge_volume(
            block,
            judged=judged,
            complete=complete,
            source_active=active[block_sources],
            settings=settings,
        )
        yield _named(volume, actions)
        yield _named(judge_failures(block, judged=judged, settings=settings), actions)


def _judged(days: Collection[date], origin: date, last: date) -> Bools:
    judged = np.zeros((last - origin).days + 1, dtype=np.bool_)
    judged[[(day - origin).days for day in days]] = True
    return judged


def _complete(origin: date, last: date, through: date) -> Bools:
    complete: Bools = np.arange((last - origin).days + 1) <= (through - origin).days
    return complete


def _activity(sources: Grid, actions: Grid) -> tuple[Bools, Ints]:
    """Which source had any event on which day, and the source of each action's series."""
    active = np.zeros((sources.names.height, sources.width), dtype=np.bool_)
    active[sources.series, sources.column] = True
    source_of = actions.names["source"].rle_id().cast(pl.Int64).to_numpy()  # both grids are sorted by source
    return active, source_of


def _found(answers: Iterable[Judged], origin: date, settings: DetectionSettings) -> pl.DataFrame:
    """The discoveries among the candidates of one family of tests, with dates and ranges."""
    judged = list(answers)
    candidates = pl.concat([_NAMED_SCHEMA.to_frame(), *(answer.candidates for answer in judged)])
    tests = sum((answer.tests for answer in judged), start=np.zeros(1, dtype=np.int64))
    found = discoveries(candidates["column"].to_numpy(), candidates["p_value"].to_numpy(), tests, settings.q)
    dated = candidates.filter(found).with_columns(date=pl.lit(origin) + pl.duration(days="column"))
    return _verdicts(_with_range(dated, settings))


def _verdicts(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(
        pl.col(name).cast(kind) for name, kind in VERDICT_SCHEMA.items() if name in frame.columns
    )


def _with_range(anomalies: pl.DataFrame, settings: DetectionSettings) -> pl.DataFrame:
    """Add the range that would not have been reported: `lower` and `upper`."""
    low, high, dispersion, events = (
        anomalies[name].to_numpy() for name in ("low", "high", "dispersion", "events")
    )
    is_share = (anomalies["kind"] == "failure_rate").to_numpy()
    is_count = ~is_share
    lower, upper = np.zeros_like(low), np.empty_like(high)  # too few failures are never reported
    upper[is_share] = share_limit(events[is_share], high[is_share], dispersion[is_share], settings.max_p)
    lower[is_count], _ = count_range(low[is_count], dispersion[is_count], 1 - settings.max_p)
    _, upper[is_count] = count_range(high[is_count], dispersion[is_count], 1 - settings.max_p)
    return anomalies.with_columns(lower=pl.Series(lower), upper=pl.Series(upper))


def _named(answer: Judged, grid: Grid) -> Judged:
    names = grid.names[answer.candidates["series"]]
    return replace(answer, candidates=answer.candidates.hstack(names))
