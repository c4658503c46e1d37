"""Token buckets: as much as was said, whoever else asks, and no more memory than that takes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.api import rates
from activity_pipeline.api.rates import Buckets


@given(
    st.lists(st.floats(0, 5), max_size=100),
    st.floats(0.1, 50),
    st.integers(1, 20),
)
def test_never_more_than_the_burst_and_what_flowed_in(pauses: list[float], per_s: float, burst: int) -> None:
    now = 0.0
    buckets = Buckets(lambda: now)
    taken = 0
    for pause in pauses:
        now += pause
        wait_s = buckets.take("a", per_s, burst)
        taken += not wait_s
        assert taken <= burst + now * per_s + 1e-6
        if wait_s:
            now += wait_s + 1e-9
            assert not buckets.take("a", per_s, burst)
            taken += 1
        assert not buckets.take(f"other {now} {pause} {taken}", per_s, burst)


def test_full_buckets_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "FORGET_FROM", 3)
    now = 0.0
    buckets = Buckets(lambda: now)
    assert buckets.take("busy", 0.01, 1) == 0
    for number in range(20):
        now += 1
        assert buckets.take(str(number), 100, 5) == 0
    assert len(buckets._levels) <= 4
    assert buckets.take("busy", 0.01, 1) > 0
