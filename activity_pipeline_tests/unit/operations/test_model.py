"""Histograms add up, and their quantiles are as near as promised."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.operations.model import BUCKETS, RELATIVE_ERROR, Histogram, bucket_of, seconds_of

DURATIONS = st.lists(st.floats(1.01e-5, 1e5), min_size=1, max_size=200)


def histogram(durations: list[float]) -> Histogram:
    result = Histogram()
    for seconds in durations:
        result.add(seconds, items=2)
    return result


@given(DURATIONS, st.floats(0.01, 1.0))
def test_a_quantile_is_within_the_relative_error(durations: list[float], q: float) -> None:
    true = sorted(durations)[math.ceil(q * len(durations)) - 1]
    assert abs(histogram(durations).quantile(q) - true) <= (RELATIVE_ERROR + 1e-6) * true


def test_the_relative_error_is_below_5_percent() -> None:
    assert 0.04 < RELATIVE_ERROR < 0.05


@given(DURATIONS, DURATIONS)
def test_processes_add_up(first: list[float], second: list[float]) -> None:
    both = histogram(first)
    both.merge(histogram(second))
    whole = histogram(first + second)
    assert (both.count, both.items, both.buckets, both.longest_s) == (
        whole.count,
        whole.items,
        whole.buckets,
        whole.longest_s,
    )
    assert both.seconds == pytest.approx(whole.seconds)


@pytest.mark.parametrize("exponent", range(-4, 5))
def test_a_power_of_ten_is_the_end_of_its_bucket(exponent: int) -> None:
    assert bucket_of(10.0**exponent) == 24 * exponent + 120
    assert bucket_of(10.0**exponent * 1.001) == 24 * exponent + 121


def test_nothing_is_too_short_or_too_long() -> None:
    assert bucket_of(0.0) == bucket_of(1e-5) == 0
    assert bucket_of(1e5) == bucket_of(1e9) == BUCKETS - 1
    assert seconds_of(0) < 1e-5
    assert Histogram().quantile(0.5) == 0.0


def test_a_quantile_is_never_beyond_the_longest() -> None:
    assert histogram([1.0]).quantile(0.99) <= 1.0
