"""Hours that a day's count hides: a burst within one hour, an outage of one.

An hour is compared with the same hour of the four weeks before. A day is one test, whatever its
number of hours: its most extreme hour counts, at 24 times its p-value (Bonferroni).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from activity_pipeline.anomalies.baseline import known_days, winsorised_mean
from activity_pipeline.anomalies.grid import Block, Bools, Floats, Ints
from activity_pipeline.anomalies.judge import Judged, make_candidates
from activity_pipeline.anomalies.model import DAYS_OF_WEEK, HOURS_OF_DAY, DetectionSettings
from activity_pipeline.anomalies.tails import count_p_value

_LEAST_VARIANCE_MEAN: Final = 0.5

SELDOM: Final = 1.0
"""Fewer events than this an hour are next to nothing."""


def judge_hours(
    block: Block, *, judged: Bools, complete: Bools, source_active: Bools, settings: DetectionSettings
) -> Judged:
    """Compare each hour with the same hour of the days before: bursts, and on complete days outages.

    An hour is outside the usual both of its own weekday and of all days, for weekends have hours of
    their own. In an hour that usually has next to nothing a burst is one only beyond every hour of the
    days before, whichever it was: what comes seldom comes at any time. An outage is one while the
    source had events on that day; else the source is silent.

    Args:
        block: Counts by (source, action) and hour; `events` has shape (series, days * 24).
        judged: Which days are judged, shape (days,).
        complete: Which days are over, same shape.
        source_active: Whether the series' source had any event, shape (series, days).
        settings: Detection settings.
    """
    events = block.events.reshape(len(block.events), len(judged), HOURS_OF_DAY)
    age = known_days(events.sum(axis=2), settings.hour_days)
    tested = (age >= settings.min_history_days) & judged & source_active
    row, column = np.nonzero(tested & _may_differ(events, complete, settings))
    observed = events[row, column]
    same, overall, dispersion, peak = _usual(events, row, column, age[row, column], settings)

    low, high = np.minimum(same, overall), np.maximum(same, overall)
    spike = (observed >= high * settings.min_hour_ratio) & (observed >= high + settings.min_events)
    spike &= (high >= SELDOM) | (observed >= peak * settings.min_ratio)
    drop = (observed * settings.min_hour_ratio <= low) & (observed + settings.min_events <= low)
    drop &= complete[column][:, None]
    expected = np.where(spike, high, low)
    p_value = np.ones_like(observed)
    far = spike | drop
    p_value[far] = count_p_value(observed[far], expected[far], dispersion[far])
    hour = p_value.argmin(axis=1)
    place = np.flatnonzero(far[np.arange(len(row)), hour])
    cell = place, hour[place]
    alike = (far & (spike == spike[np.arange(len(row)), hour][:, None])).sum(axis=1)
    return Judged(
        tests=tested.sum(axis=0),
        candidates=make_candidates(
            settings,
            kind=np.where(spike[cell], "spike", "drop"),
            series=block.first + row[place],
            column=column[place],
            hour=hour[place],
            observed=observed[cell],
            expected=expected[cell],
            low=low[cell],
            high=high[cell],
            dispersion=dispersion[cell],
            p_value=np.minimum(p_value[cell] * HOURS_OF_DAY, 1.0),
            events=observed[cell],
            hours=alike[place],
        ),
    )


def _usual(
    events: Floats, row: Ints, column: Ints, age: Ints, settings: DetectionSettings
) -> tuple[Floats, Floats, Floats, Floats]:
    """Usual counts of each hour, of the same weekday and of all days, their variance over mean, and the most.

    A largest value counts as the second largest, so that one burst does not hide the next. The spread
    is about the weekday's own mean, at least that of the day's hours together.

    Returns:
        Each of shape (cells, 24); the most that any hour had, (cells, 1).
    """
    weeks = settings.hour_days // DAYS_OF_WEEK
    ago = np.arange(1, settings.hour_days + 1)
    history = events[row[:, None], column[:, None] - ago]
    history[ago > age[:, None]] = np.nan
    by_weekday = history.reshape(len(row), weeks, DAYS_OF_WEEK, HOURS_OF_DAY)
    overall, same = _clipped_mean(history, axis=1), _clipped_mean(by_weekday[:, :, -1], axis=1)
    same = np.where(np.isnan(same), overall, same)
    with np.errstate(invalid="ignore"):
        centres = _mean(by_weekday, axis=1)[:, None]
        squares = (by_weekday - centres) ** 2 / np.maximum(centres, _LEAST_VARIANCE_MEAN)
    squares = squares.reshape(history.shape)
    freedom = weeks / (weeks - 1)
    of_hour = winsorised_mean(squares.transpose(0, 2, 1)) * freedom
    of_day = winsorised_mean(squares.reshape(len(row), settings.hour_days * HOURS_OF_DAY)) * freedom
    dispersion = np.maximum(of_hour, np.maximum(of_day, 1.0)[:, None]) * (1 + 1 / weeks)
    peak = np.nanmax(history, axis=(1, 2), initial=0.0)[:, None]
    return same, overall, dispersion, peak


def _may_differ(events: Floats, complete: Bools, settings: DetectionSettings) -> Bools:
    """The days with an hour that may be far enough from its usual: a look at running sums alone."""
    days = settings.hour_days
    total = np.zeros((len(events), events.shape[1] + 1, HOURS_OF_DAY))
    np.cumsum(events, axis=1, out=total[:, 1:])
    judged = range(days, events.shape[1])
    weeks = np.stack(
        [
            total[:, days - back : len(judged) + days - back]
            - total[:, days - back - DAYS_OF_WEEK : len(judged) + days - back - DAYS_OF_WEEK]
            for back in range(0, days, DAYS_OF_WEEK)
        ]
    )
    whole = weeks.sum(axis=0)
    most, least = np.zeros(events.shape), np.zeros(events.shape)
    most[:, days:] = whole * 2 / days  # of a series that is known for half of the days
    least[:, days:] = (whole - weeks.max(axis=0)) / days  # whatever week the one burst was in
    more = (events >= settings.min_events) & (events >= least * settings.min_hour_ratio)
    fewer = (most >= settings.min_events) & (events * settings.min_hour_ratio <= most)
    differs = more | (fewer & complete[:, None])
    some: Bools = np.any(differs, axis=2)
    return some


def _clipped_mean(values: Floats, axis: int) -> Floats:
    """Mean without NaN, the largest value counted as the second largest."""
    ordered = np.sort(np.where(np.isnan(values), -1.0, values), axis=axis)
    largest, second = (np.take(ordered, place, axis=axis) for place in (-1, -2))
    known = np.count_nonzero(ordered >= 0, axis=axis)
    total = (
        np.where(ordered >= 0, ordered, 0.0).sum(axis=axis) - largest + np.where(second >= 0, second, largest)
    )
    mean: Floats = np.where(known > 0, total / np.maximum(known, 1), np.nan)
    return mean


def _mean(values: Floats, axis: int) -> Floats:
    known = np.count_nonzero(~np.isnan(values), axis=axis)
    mean: Floats = np.where(known > 0, np.nansum(values, axis=axis) / np.maximum(known, 1), np.nan)
    return mean
