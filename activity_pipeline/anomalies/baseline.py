"""What a day should look like, from the days before it: robust centres and spreads.

Every function works on rows that are independent of each other: one row is one series on
one judged day, and its result depends on that row alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from activity_pipeline.anomalies.grid import Bools, Floats, Ints, next_event
from activity_pipeline.anomalies.model import DAYS_OF_WEEK, DetectionSettings

SMALL_COUNT: Final = 5.0
"""Below this a median is too coarse (it is 0 for half an event a day) and a clipped mean serves."""

WINSOR_SHARE: Final = 0.95
WINSOR_VARIANCE: Final = 0.9129725
"""Mean square of a standard normal clipped at |z| = 1.959964, its 95 % quantile of |z|."""

MAD_TO_DEVIATION: Final = 1.482602
"""Standard deviation of a normal over its median absolute deviation."""

MEDIAN_INEFFICIENCY: Final = np.pi / 2
"""Variance of a median over that of a mean, for a normal."""

RECENT_WEEKS: Final = 2
SHIFT: Final = 1.25
"""A recent level within this factor of the baseline is trend; beyond it, a shift."""

_LEAST_VARIANCE_MEAN: Final = 0.5


@dataclass(frozen=True, slots=True)
class Level:
    """Expected volume of each cell, in events a day.

    Attributes:
        centre: Robust mean of the same weekday (of all days where `seasonal` is false). It
            follows the trend of the last two weeks, but not a sudden shift of level.
        alternative: Another level that is usual as well: that of the last two weeks, or in a
            young series that of the few same weekdays it has had.
        seasonal: Whether the weekdays can be told apart.
        by_weekday: What the days of the window should have looked like, shape (cells, 7); the
            judged day's weekday first.
        sample: How many days each centre rests on.
    """

    centre: Floats
    alternative: Floats
    seasonal: Bools
    by_weekday: Floats
    sample: Ints

    def __getitem__(self, cells: Bools) -> Level:
        """The chosen cells."""
        return Level(
            centre=self.centre[cells],
            alternative=self.alternative[cells],
            seasonal=self.seasonal[cells],
            by_weekday=self.by_weekday[cells],
            sample=self.sample[cells],
        )


@dataclass(frozen=True, slots=True)
class ShareBaseline:
    """Expected failure share of each cell.

    Attributes:
        share: Robust share, 0 to 1, both exclusive.
        dispersion: Variance of the day's failures over that of a binomial; >= 1.
    """

    share: Floats
    dispersion: Floats


def window(events: Floats, row: Ints, column: Ints, age: Ints, weeks: int) -> Floats:
    """The days before each judged cell, NaN before the series' first day.

    Args:
        events: Dense counts, shape (series, days of the grid).
        row: Series of each cell.
        column: Day of each cell.
        age: Known days before each cell.
        weeks: Length of the window.

    Returns:
        Shape (cells, 7, weeks): by weekday, the cell's own first; then by week, oldest first.
    """
    offset = DAYS_OF_WEEK * np.arange(weeks, 0, -1) - np.arange(DAYS_OF_WEEK)[:, None]
    values = events[row[:, None, None], column[:, None, None] - offset]
    values[offset > age[:, None, None]] = np.nan
    return values


def known_days(events: Floats, days: int) -> Ints:
    """Days since the first event within the `days` before each cell; 0 without one."""
    width = events.shape[1]
    known = np.zeros(events.shape, dtype=np.int64)
    known[:, days:] = np.maximum(np.arange(days, width) - next_event(events)[:, : width - days], 0)
    return known


def expected_level(history: Floats, age: Ints, settings: DetectionSettings) -> Level:
    """Expected volume from the weeks before: a median by weekday, at the level of these weeks.

    In a series without five events on the median day of any weekday the weekdays cannot be
    told apart; there, and with too few same weekdays, all days serve.

    Args:
        history: Counts, as `window` returns them.
        age: Known days before each cell.
        settings: Detection settings.
    """
    middle, by_weekday = _centres(history)
    same_weekdays = np.minimum(age // DAYS_OF_WEEK, settings.weeks)
    seasonal = (same_weekdays >= settings.min_same_weekdays) & np.any(middle >= SMALL_COUNT, axis=1)
    same_weekday = by_weekday[:, 0].copy()
    _, overall = _centres(_flat(history[~seasonal]))
    by_weekday[~seasonal] = overall[:, None]

    ratios = (history[:, :, -RECENT_WEEKS:] + 1) / (by_weekday[:, :, None] + 1)
    level = median(_flat(ratios))
    usual = by_weekday[:, 0]
    recent = np.maximum((usual + 1) * level - 1, 0.0)
    shifted = (level > SHIFT) | (level < 1 / SHIFT)
    young = (same_weekdays < settings.min_same_weekdays) & (same_weekdays > 0)
    return Level(
        centre=np.where(shifted, usual, recent),
        alternative=np.where(young, same_weekday, recent),
        seasonal=seasonal,
        by_weekday=by_weekday,
        sample=np.where(seasonal, same_weekdays, np.minimum(age, settings.baseline_days)),
    )


def volume_dispersion(history: Floats, level: Level, drop: Bools) -> Floats:
    """Variance over mean of a new day's events, the uncertainty of its centre included; > 1.

    Pooled over all weekdays, since eight values alone say little about a spread: the squared
    Pearson residuals about the centres, as the larger of their scaled median (MAD) and their
    winsorised mean, which bursts that come every other week still reach. A Poisson's at least.

    What makes a day slower than others takes a share of it, so that a quiet weekday varies less
    than the pool; what makes it busier, sessions and retries, comes in numbers of its own.

    Args:
        history: Counts, as `window` returns them.
        level: The expected level of the same cells.
        drop: Which cells are below it.
    """
    centres = level.by_weekday[:, :, None] * local_level(history, level)
    squares = _flat((history - centres) ** 2 / np.maximum(centres, _LEAST_VARIANCE_MEAN))
    by_mad = median(squares) * MAD_TO_DEVIATION**2
    spread = np.maximum(by_mad, winsorised_mean(squares)) * level.sample / (level.sample - 1)
    typical = median(_flat(np.broadcast_to(centres, history.shape)))
    quieter = np.minimum(np.maximum(level.by_weekday[:, 0], 1.0) / np.maximum(typical, 1.0), 1.0)
    spread = np.where(drop, 1 + (spread - 1) * quieter, spread)
    return np.maximum(spread, 1.0) * (1 + MEDIAN_INEFFICIENCY / level.sample)


def local_level(history: Floats, level: Level) -> Floats:
    """Level of each day of the window relative to its weekday's centre: a running median of a fortnight.

    A series that has grown, or moved to a new level, has varied about that and not about one centre for
    all of the window. Where weekdays cannot be told apart a median is too coarse, and the level is 1.

    Args:
        history: Counts, as `window` returns them.
        level: The expected level of the same cells.
    """
    cells, weekdays, weeks = history.shape
    ratios = (history + 1) / (level.by_weekday[:, :, None] + 1)
    days = ratios.transpose(0, 2, 1).reshape(cells, weeks * weekdays)  # oldest first
    padded = np.pad(days, ((0, 0), (DAYS_OF_WEEK, DAYS_OF_WEEK)), constant_values=np.nan)
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * DAYS_OF_WEEK + 1, axis=1)
    smooth = median(np.where(np.isnan(days)[:, :, None], np.nan, around))
    smooth[~level.seasonal] = 1.0
    return smooth.reshape(cells, weeks, weekdays).transpose(0, 2, 1)


def share_baseline(events: Floats, failures: Floats, today: Floats) -> ShareBaseline:
    """Expected failure share from all days of the weeks before.

    Shares depend on the weekday far less than volumes do, so all days serve. Days that fail
    far more than the rest are clipped (three passes), so that an outage does not become
    normal; a share that more than half of the last two weeks had is normal again.

    The over-dispersion is a correlation within a day, rho, from the winsorised Pearson
    residuals: Var = n p (1 - p) (1 + (n - 1) rho), the beta-binomial's.

    Args:
        events: Events a day, as `window` returns them.
        failures: Failed events, likewise.
        today: Events of the judged day, shape (cells,).
    """
    size, failed = np.nan_to_num(_flat(events)), np.nan_to_num(_flat(failures))
    total = size.sum(axis=1)
    share = (failed.sum(axis=1) + 0.5) / (total + 1)
    for _ in range(3):
        mean = size * share[:, None]
        limit = mean + 3 * np.sqrt(mean * (1 - share[:, None])) + 1
        share = (np.minimum(failed, limit).sum(axis=1) + 0.5) / (total + 1)

    active = np.where(events > 0, events, np.nan)
    recent = median(_flat((failures / active)[:, :, -RECENT_WEEKS:]))
    share = np.where(recent > share, np.minimum(recent, 1 - 0.5 / (total + 1)), share)

    size = _flat(active)
    mean = size * share[:, None]
    squares = (failed - mean) ** 2 / (mean * (1 - share[:, None]))
    dispersion = np.maximum(winsorised_mean(squares), 1.0)
    usual_size = total / np.maximum(np.count_nonzero(size > 0, axis=1), 1)
    rho = np.clip((dispersion - 1) / np.maximum(usual_size - 1, 1.0), 0.0, 1.0)
    uncertainty = today * dispersion / np.maximum(total, 1.0)
    return ShareBaseline(share=share, dispersion=1 + np.maximum(today - 1, 0.0) * rho + uncertainty)


def median(values: Floats) -> Floats:
    """Median along the last axis, ignoring NaN; NaN where nothing is left."""
    return _middle(np.sort(values, axis=-1), _known(values))


def _centres(values: Floats) -> tuple[Floats, Floats]:
    """Median along the last axis, and the same with a clipped mean in place of small medians.

    The clipped mean counts the largest value as the second largest.
    """
    ordered, known = np.sort(values, axis=-1), _known(values)  # NaN sorts last
    middle = _middle(ordered, known)
    largest = np.take_along_axis(ordered, np.maximum(known - 1, 0), axis=-1)
    second = np.take_along_axis(ordered, np.maximum(known - 2, 0), axis=-1)
    total = np.nansum(ordered, axis=-1, keepdims=True)
    mean = ((total - largest + second) / np.maximum(known, 1))[..., 0]
    return middle, np.where(middle < SMALL_COUNT, np.maximum(middle, mean), middle)


def winsorised_mean(
    squares: Floats, *, share: float = WINSOR_SHARE, variance: float = WINSOR_VARIANCE
) -> Floats:
    """Mean of squares clipped at a quantile, scaled to a normal's variance; 0 of none.

    Args:
        squares: Squared residuals, NaN where there is none.
        share: The quantile, 0 to 1.
        variance: Mean square of a standard normal that is clipped there.
    """
    ordered, known = np.sort(squares, axis=-1), _known(squares)
    rank = np.maximum(np.ceil(known * share).astype(np.int64) - 1, 0)
    limit = np.take_along_axis(ordered, rank, axis=-1)
    total = np.nansum(np.minimum(ordered, limit), axis=-1)
    mean: Floats = total / np.maximum(known[..., 0], 1) / variance
    return mean


def _middle(ordered: Floats, known: Ints) -> Floats:
    """Median of values that are sorted along the last axis, the unknown last."""
    low = np.take_along_axis(ordered, np.maximum(known - 1, 0) // 2, axis=-1)
    high = np.take_along_axis(ordered, np.minimum(known // 2, ordered.shape[-1] - 1), axis=-1)
    return ((low + high) / 2)[..., 0]


def _known(values: Floats) -> Ints:
    return np.count_nonzero(~np.isnan(values), axis=-1, keepdims=True)


def _flat(days: Floats) -> Floats:
    """One row of days for each cell."""
    return days.reshape(len(days), days.shape[1] * days.shape[2])
