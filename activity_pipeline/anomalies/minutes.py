"""How unusual each count of a few minutes is, online: a count is judged by what came before it alone.

What it shares with the hours of the pipeline (hours.py): a count has to be outside the usual of its own
weekday and of all days, the spread is the winsorised Pearson residuals', and `tails.count_p_value` gives
the negative binomial's tail. What it does not: centres are medians of the last two weeks, since every
count is judged from the second day on; and bursts are what few minutes are made of, so that only the
largest hundredth of the residuals of the last week is clipped. No count corrects for how many are judged:
one threshold, that whoever asks chooses, serves all series.

The pipeline keeps hours and days, so that nothing of it calls this yet; the benchmark does.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from activity_pipeline.anomalies.baseline import MEDIAN_INEFFICIENCY, median, winsorised_mean
from activity_pipeline.anomalies.grid import Floats
from activity_pipeline.anomalies.model import DAYS_OF_WEEK
from activity_pipeline.anomalies.tails import count_p_value

LEVEL_DAYS: Final = 14
SAME_WEEKDAYS: Final = 4
SPREAD_DAYS: Final = 7
BURST_SHARE: Final = 0.99
"""Residuals above this quantile are clipped to it."""

BURST_VARIANCE: Final = 0.9818573
"""Mean square of a standard normal that is clipped at its 99 % quantile of |z|."""

_LEAST_MEAN: Final = 0.5
_OF_CENTRE: Final = 1 + MEDIAN_INEFFICIENCY / LEVEL_DAYS
"""The uncertainty of a centre, in variances of a count."""


def unusualness(counts: Floats, per_day: int) -> Floats:
    """Say of each count how far it is outside the usual, 0 where nothing is known of it.

    Args:
        counts: Of each interval in order, none left out.
        per_day: Intervals a day.

    Returns:
        The p-value's negative decimal logarithm: 3 for one in a thousand. A number depends on the
        counts up to its own alone.
    """
    overall = median(_days_before(counts, per_day, LEVEL_DAYS))
    same = median(_days_before(counts, per_day * DAYS_OF_WEEK, SAME_WEEKDAYS))
    same = np.where(np.isnan(same), overall, same)
    expected = np.maximum(np.clip(counts, np.minimum(same, overall), np.maximum(same, overall)), _LEAST_MEAN)
    centre = (same + overall) / 2
    squares = (counts - centre) ** 2 / np.maximum(centre, _LEAST_MEAN)
    dispersion = _dispersion(squares, per_day)
    known = ~np.isnan(expected) & ~np.isnan(dispersion)
    score = np.zeros(len(counts))
    score[known] = -np.log10(count_p_value(counts[known], expected[known], dispersion[known]))
    return score


def told(score: Floats, per_day: int) -> Floats:
    """Keep what is news: a score that is larger than any of the day before it; 0 for the others.

    Args:
        score: As `unusualness` returns them.
        per_day: Intervals a day.
    """
    before = np.concatenate([np.zeros(per_day), score])[:-1]
    largest = np.lib.stride_tricks.sliding_window_view(before, per_day).max(axis=1)
    return np.where(score > largest, score, 0.0)


def _days_before(counts: Floats, step: int, times: int) -> Floats:
    """The counts `step`, 2 * `step`, … intervals earlier, NaN before the first; shape (counts, times)."""
    earlier = np.full((len(counts), times), np.nan)
    for back in range(1, times + 1):
        if back * step < len(counts):
            earlier[back * step :, back - 1] = counts[: -back * step]
    return earlier


def _dispersion(squares: Floats, per_day: int) -> Floats:
    """Variance over mean, once a day from the week before; NaN until half a day is known."""
    dispersion = np.full(len(squares), np.nan)
    for start in range(per_day, len(squares), per_day):
        week = squares[max(start - SPREAD_DAYS * per_day, 0) : start]
        if np.count_nonzero(~np.isnan(week)) > per_day // 2:
            spread = winsorised_mean(week[None], share=BURST_SHARE, variance=BURST_VARIANCE)[0]
            dispersion[start : start + per_day] = max(spread, 1.0) * _OF_CENTRE
    return dispersion
