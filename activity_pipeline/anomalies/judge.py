"""The three questions asked of a block of series: its volume, its silence, its failures.

Each answers how many tests it made on each day, for the correction over all of them, and
which candidates it found: unusual by themselves and large enough to matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import polars as pl

from activity_pipeline.anomalies.baseline import (
    SHIFT,
    expected_level,
    known_days,
    median,
    share_baseline,
    volume_dispersion,
    window,
)
from activity_pipeline.anomalies.grid import Block, Bools, Floats, Ints, last_event
from activity_pipeline.anomalies.model import DAYS_OF_WEEK, DetectionSettings
from activity_pipeline.anomalies.tails import count_p_value, share_p_value

CANDIDATE_SCHEMA: Final = pl.Schema(
    {
        "kind": pl.String(),
        "series": pl.Int64(),
        "column": pl.Int64(),
        "observed": pl.Float64(),
        "expected": pl.Float64(),
        "low": pl.Float64(),
        "high": pl.Float64(),
        "dispersion": pl.Float64(),
        "p_value": pl.Float64(),
        "events": pl.Float64(),
        "seasonal": pl.Boolean(),
        "silent_days": pl.Int64(),
        "hour": pl.Int64(),
        "hours": pl.Int64(),
    }
)
"""`low` to `high`: the usual levels, before chance. `events`: of that day or hour. `silent_days`: so far.
`hour`: of the day, where the candidate is one hour; `hours`: how many of the day are as unusual."""


@dataclass(frozen=True, slots=True)
class Judged:
    """Outcome of one question on one block.

    Attributes:
        tests: Number of tests on each day of the grid.
        candidates: One row per candidate, of `CANDIDATE_SCHEMA`.
    """

    tests: Ints
    candidates: pl.DataFrame


def judge_volume(
    block: Block, *, judged: Bools, complete: Bools, source_active: Bools, settings: DetectionSettings
) -> Judged:
    """Compare each day's events with the baseline: spikes, and on complete days drops.

    An anomaly is outside the usual of its weekday and outside the level of the last two
    weeks: neither a new level that lasts, nor the return from it, is news every day.

    Args:
        block: Counts by (source, action).
        judged: Which days are judged, shape (days,).
        complete: Which days are over, same shape.
        source_active: Whether the series' source had any event, shape (series, days). On a
            day without any, the source is the subject and its actions are not tested.
        settings: Detection settings.
    """
    age = known_days(block.events, settings.baseline_days)
    tested = (age >= settings.min_history_days) & judged & source_active
    row, column = np.nonzero(_may_differ(block.events, tested, age, settings))
    history = window(block.events, row, column, age[row, column], settings.weeks)
    level = expected_level(history, age[row, column], settings)

    observed = block.events[row, column]
    low = np.minimum(level.centre, level.alternative)
    high = np.maximum(level.centre, level.alternative)
    spike = (observed >= high * settings.min_ratio) & (observed >= high + settings.min_events)
    drop = (observed * settings.min_ratio <= low) & (observed + settings.min_events <= low) & complete[column]
    far = spike | drop
    expected = np.where(spike, high, low)[far]
    dispersion = volume_dispersion(history[far], level[far], drop[far])
    return Judged(
        tests=tested.sum(axis=0),
        candidates=make_candidates(
            settings,
            kind=np.where(spike[far], "spike", "drop"),
            series=block.first + row[far],
            column=column[far],
            observed=observed[far],
            expected=expected,
            low=low[far],
            high=high[far],
            dispersion=dispersion,
            p_value=count_p_value(observed[far], expected, dispersion),
            events=observed[far],
            seasonal=level.seasonal[far],
        ),
    )


def judge_silence(block: Block, *, judged: Bools, settings: DetectionSettings) -> Judged:
    """Find sources that should have had events on a day and had none.

    From the second week on the silence itself is left out of the baseline: the day is
    compared with the weeks before it began, until it is as long as the whole baseline.

    Args:
        block: Counts by source.
        judged: Which days are judged and complete, shape (days,).
        settings: Detection settings.
    """
    width = block.events.shape[1]
    age = known_days(block.events, settings.baseline_days)
    silent_days = np.arange(width) - last_event(block.events)
    whole_weeks = np.maximum(silent_days - 1, 0) // DAYS_OF_WEEK * DAYS_OF_WEEK
    age_before = np.take_along_axis(age, np.maximum(np.arange(width) - whole_weeks, 0), axis=1)
    tested = (
        judged
        & (silent_days >= 1)
        & (silent_days <= settings.baseline_days)
        & (age_before >= settings.min_history_days)
    )
    row, column = np.nonzero(tested)
    age = age_before[row, column]
    history = window(block.events, row, column - whole_weeks[row, column], age, settings.weeks)
    level = expected_level(history, age, settings)

    low = np.minimum(level.centre, level.alternative)
    far = low >= settings.min_events
    expected, observed = low[far], np.zeros(np.count_nonzero(far))
    dispersion = volume_dispersion(history[far], level[far], np.ones_like(row[far], np.bool_))
    return Judged(
        tests=tested.sum(axis=0),
        candidates=make_candidates(
            settings,
            kind=np.full(len(observed), "silent_source"),
            series=block.first + row[far],
            column=column[far],
            observed=observed,
            expected=expected,
            low=expected,
            high=expected,
            dispersion=dispersion,
            p_value=count_p_value(observed, expected, dispersion),
            events=observed,
            seasonal=level.seasonal[far],
            silent_days=silent_days[row, column][far],
        ),
    )


def judge_failures(block: Block, *, judged: Bools, settings: DetectionSettings) -> Judged:
    """Compare each day's share of failed events with the share of the weeks before.

    Args:
        block: Counts by (source, action).
        judged: Which days are judged, shape (days,).
        settings: Detection settings.
    """
    age = known_days(block.events, settings.baseline_days)
    tested = (age >= settings.min_history_days) & judged & (block.events > 0)
    row, column = np.nonzero(tested & (block.failures >= settings.min_failures))
    events, failures = block.events[row, column], block.failures[row, column]
    baseline = share_baseline(
        window(block.events, row, column, age[row, column], settings.weeks),
        window(block.failures, row, column, age[row, column], settings.weeks),
        events,
    )
    share = failures / events
    far = (share >= baseline.share * settings.min_failure_ratio) & (
        share >= baseline.share + settings.min_failure_share
    )
    expected, dispersion = baseline.share[far], baseline.dispersion[far]
    return Judged(
        tests=tested.sum(axis=0),
        candidates=make_candidates(
            settings,
            kind=np.full(np.count_nonzero(far), "failure_rate"),
            series=block.first + row[far],
            column=column[far],
            observed=share[far],
            expected=expected,
            low=expected,
            high=expected,
            dispersion=dispersion,
            p_value=share_p_value(failures[far], events[far], expected, dispersion),
            events=events[far],
        ),
    )


def _may_differ(events: Floats, tested: Bools, age: Ints, settings: DetectionSettings) -> Bools:
    """The tested cells that may be far enough from their baseline; the others need none.

    A cheap look at the same weekdays only, loose enough for any trend: most cells of most
    tables end here.
    """
    width = events.shape[1]
    shifts = range(DAYS_OF_WEEK, settings.baseline_days + 1, DAYS_OF_WEEK)
    was_large = np.zeros(events.shape, dtype=np.bool_)
    for shift in shifts:
        was_large[:, shift:] |= events[:, : width - shift] * SHIFT >= settings.min_events
    differs = tested & ((events >= settings.min_events) | was_large)
    row, column = np.nonzero(differs & (age >= settings.min_same_weekdays * DAYS_OF_WEEK))
    same_weekdays = events[row[:, None], column[:, None] - np.array(shifts)]
    same_weekdays[np.array(shifts) > age[row, column][:, None]] = np.nan
    observed, usual = events[row, column], median(same_weekdays)
    ratio = settings.min_ratio / SHIFT
    more = (observed >= settings.min_events) & (observed >= usual * ratio)
    fewer = (usual * SHIFT >= settings.min_events) & (observed * ratio <= usual)
    differs[row, column] = more | fewer
    return differs


def make_candidates(settings: DetectionSettings, **columns: npt.NDArray[np.generic]) -> pl.DataFrame:
    """Return a frame of `CANDIDATE_SCHEMA` of what is unusual enough by itself.

    Columns that are not given are null.
    """
    given = {name: kind for name, kind in CANDIDATE_SCHEMA.items() if name in columns}
    frame = pl.DataFrame(columns, schema=given).filter(pl.col("p_value") <= settings.max_p)
    missing = [
        pl.lit(None, kind).alias(name) for name, kind in CANDIDATE_SCHEMA.items() if name not in columns
    ]
    return frame.with_columns(missing).select(CANDIDATE_SCHEMA.names())
