from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from activity_pipeline.anomalies.baseline import winsorised_mean
from activity_pipeline.anomalies.minutes import BURST_SHARE, BURST_VARIANCE, told, unusualness

PER_DAY = 96
DAYS = 30


def quarters(seed: int, mean: float = 20.0) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Counts of quarter hours with a rhythm of the day and a quiet weekend."""
    quarter = np.arange(DAYS * PER_DAY)
    shape = 1 + 0.8 * np.sin(2 * np.pi * quarter / PER_DAY)
    week = np.where(quarter // PER_DAY % 7 >= 5, 0.3, 1.0)
    return np.random.default_rng(seed).poisson(mean * shape * week).astype(np.float64)


def test_no_count_is_judged_by_what_comes_after_it() -> None:
    counts = quarters(1)
    whole = told(unusualness(counts, PER_DAY), PER_DAY)
    for end in (1, PER_DAY, PER_DAY + 1, 10 * PER_DAY + 5, len(counts) - 1):
        assert np.array_equal(told(unusualness(counts[:end], PER_DAY), PER_DAY), whole[:end])


def test_a_burst_and_an_outage_stand_out() -> None:
    counts = quarters(2)
    burst, outage = 22 * PER_DAY + 70, 24 * PER_DAY + 20
    counts[burst], counts[outage] = 120, 0
    score = unusualness(counts, PER_DAY)
    others = np.delete(score[15 * PER_DAY :], [burst - 15 * PER_DAY, outage - 15 * PER_DAY])
    assert score[burst] > 6 > others.max()
    assert score[outage] > 4


def test_a_quiet_weekend_is_usual_once_there_has_been_one() -> None:
    score = unusualness(quarters(3), PER_DAY)
    weekends = np.arange(len(score)) // PER_DAY % 7 >= 5
    later = np.arange(len(score)) >= 21 * PER_DAY
    assert np.mean(score[weekends & later] > 3) <= 0.002


def test_nothing_is_said_of_the_first_day() -> None:
    assert not unusualness(quarters(4), PER_DAY)[:PER_DAY].any()


def test_only_what_is_worse_than_the_day_before_is_told() -> None:
    score = np.array([0, 3, 2, 3, 4, 1, 1, 1, 1, 2.0])
    assert told(score, 4).tolist() == [0, 3, 0, 0, 4, 0, 0, 0, 0, 2]


def test_the_clipped_mean_of_squares_is_a_normals_variance() -> None:
    limit = stats.norm.isf((1 - BURST_SHARE) / 2) ** 2
    exact = stats.chi2.cdf(limit, 3) + limit * (1 - BURST_SHARE)
    assert pytest.approx(exact, abs=1e-6) == BURST_VARIANCE
    squares = np.random.default_rng(5).normal(0, 3, (1, 100_000)) ** 2
    assert winsorised_mean(squares, share=BURST_SHARE, variance=BURST_VARIANCE) == pytest.approx(9, rel=0.03)
