"""Days as they are counted, written and folded."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.errors import SettingsError
from activity_pipeline.events.days import ONE_DAY, day_range, hot_since, parse_days, ranges, today

dates = st.dates(date(1990, 1, 1), date(2100, 1, 1))


def test_today_is_the_utc_day() -> None:
    before = datetime.now(UTC).date()
    assert before <= today() <= datetime.now(UTC).date()


@given(now=dates, hot_days=st.integers(1, 400))
def test_the_hot_window_holds_as_many_days_and_ends_today(now: date, hot_days: int) -> None:
    window = list(day_range(hot_since(now, hot_days), now))
    assert len(window) == hot_days
    assert window[-1] == now


@given(first=dates, length=st.integers(0, 50))
def test_a_written_range_is_read_back(first: date, length: int) -> None:
    last = first + timedelta(days=length)
    assert parse_days(f"{first}..{last}") == (first, last)
    assert parse_days(str(first)) == (first, first)
    assert len(list(day_range(first, last))) == length + 1


@pytest.mark.parametrize(
    "text", ["", "..", "2026-03-01..", "..2026-03-01", "2026-02-30", "2026-03-02..2026-03-01"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(SettingsError):
        parse_days(text)


@given(days=st.lists(st.dates(date(2026, 1, 1), date(2026, 3, 1)), max_size=40))
def test_folding_loses_no_day_and_leaves_gaps_between_ranges(days: list[date]) -> None:
    folded = ranges(days)
    assert [day for first, last in folded for day in day_range(first, last)] == sorted(set(days))
    assert all(later[0] - earlier[1] > ONE_DAY for earlier, later in itertools.pairwise(folded))
