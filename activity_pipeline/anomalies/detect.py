"""Daily counts in, anomalies out: `detect`.

A verdict depends on the judged day and on the `settings.history_days` before it, on nothing
later and nothing else, so a backfill, a nightly run and a run of one day agree bit by bit.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from activity_pipeline.anomalies.explain import explain
from activity_pipeline.anomalies.grid import Bools, Grid
from activity_pipeline.anomalies.judge import (
    CANDIDATE_SCHEMA,
    Judged,
    judge_failures,
    judge_silence,
    judge_volume,
)
from activity_pipeline.anomalies.model import ANOMALY_SCHEMA, DEFAULT_SETTINGS, DetectionSettings
from activity_pipeline.anomalies.tails import count_range, discoveries, share_limit

_NAMED_SCHEMA = pl.Schema({**CANDIDATE_SCHEMA, "source": pl.String(), "action": pl.String()})


def detect(
    metrics: pl.DataFrame,
    days: Collection[date],
    *,
    through: date,
    settings: DetectionSettings = DEFAULT_SETTINGS,
) -> pl.DataFrame:
    """Say what is unusual about each of the days.

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

    judged = np.zeros(actions.width, dtype=np.bool_)
    judged[[(day - origin).days for day in days]] = True
    complete = np.arange(actions.width) <= (through - origin).days
    answers = [
        *_about_sources(sources, judged & complete, settings),
        *_about_actions(actions, sources, judged, complete, settings),
    ]
    candidates = pl.concat([_NAMED_SCHEMA.to_frame(), *(answer.candidates for answer in answers)])
    tests = sum((answer.tests for answer in answers), start=np.zeros(actions.width, dtype=np.int64))
    found = discoveries(candidates["column"].to_numpy(), candidates["p_value"].to_numpy(), tests, settings.q)
    anomalies = candidates.filter(found).with_columns(date=pl.lit(origin) + pl.duration(days="column"))
    return explain(_with_range(anomalies, settings))


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
    active = np.zeros((sources.names.height, sources.width), dtype=np.bool_)
    active[sources.series, sources.column] = True
    source_of = actions.names["source"].rle_id().cast(pl.Int64).to_numpy()  # both grids are sorted by source
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
