from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from activity_pipeline.anomalies.tails import (
    count_p_value,
    count_range,
    discoveries,
    share_limit,
    share_p_value,
)


def test_count_p_values_are_the_negative_binomials() -> None:
    observed, mean, dispersion = np.array([0.0, 3.0, 20.0, 90.0]), np.array([5.0, 4.0, 10.0, 30.0]), 1.7
    law = stats.nbinom(mean / (dispersion - 1), 1 / dispersion)
    expected = np.minimum(2 * np.minimum(law.cdf(observed), law.sf(observed - 1)), 1)
    assert count_p_value(observed, mean, np.full(4, dispersion)) == pytest.approx(expected, rel=1e-9)


def test_the_count_range_is_what_is_not_reported() -> None:
    mean, dispersion = np.full(200, 40.0), np.full(200, 1.5)
    observed = np.arange(200.0)
    lower, upper = count_range(mean, dispersion, 0.99)
    reported = count_p_value(observed, mean, dispersion) <= 0.01
    assert np.array_equal(reported, (observed < lower) | (observed > upper))


def test_share_p_values_without_dispersion_are_the_binomials() -> None:
    failures, events, share = np.array([1.0, 7.0, 30.0]), np.array([10.0, 50.0, 40.0]), 0.1
    expected = stats.binom(events, share).sf(failures - 1)
    assert share_p_value(failures, events, np.full(3, share), np.ones(3)) == pytest.approx(expected, rel=1e-9)


def test_the_share_limit_is_where_reporting_starts() -> None:
    rng = np.random.default_rng(0)
    events, dispersion = rng.integers(1, 10_000, 500).astype(np.float64), rng.uniform(1, 20, 500)
    share = rng.uniform(0.0001, 0.9, 500)
    limit = share_limit(events, share, dispersion, 0.001)
    assert np.all((limit >= share) & (limit <= 1))
    assert np.all(share_p_value(limit * events, events, share, dispersion) > 0.0009)
    above = np.minimum(limit + 2e-6, 1.0)
    assert np.all((share_p_value(above * events, events, share, dispersion) <= 0.001) | (above == 1))


def test_discoveries_are_benjamini_and_hochbergs_by_day() -> None:
    rng = np.random.default_rng(1)
    tests, q = np.array([50, 80, 30]), 0.1
    p_values = [rng.uniform(size=n) ** 3 for n in tests]
    expected = np.concatenate([stats.false_discovery_control(p) <= q for p in p_values])
    assert 0 < expected.sum() < expected.size
    day, p_value = np.repeat(np.arange(3), tests), np.concatenate(p_values)
    order = rng.permutation(len(day))
    assert np.array_equal(discoveries(day[order], p_value[order], tests, q), expected[order])
    assert discoveries(day[:0], p_value[:0], tests, q).size == 0
