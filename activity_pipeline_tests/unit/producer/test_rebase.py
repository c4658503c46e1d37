"""Rebasing moves every event by the same whole weeks and touches nothing but its date."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.producer.rebase import ONE_WEEK, shift, timestamp_reader, whole_weeks

offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(1950, 1, 1), datetime(2100, 1, 1), timezones=offsets)
weeks = st.integers(-2000, 2000)
texts = st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3)
read = timestamp_reader("timestamp")


@given(last=moments, now=moments)
def test_the_last_event_comes_to_lie_within_the_seven_days_before_now(last: datetime, now: datetime) -> None:
    moved = last + whole_weeks(last, now) * ONE_WEEK
    assert timedelta(0) <= now - moved < ONE_WEEK


@given(
    moment=moments,
    count=weeks,
    metadata=st.dictionaries(st.text(max_size=5), st.text(max_size=9), max_size=3),
)
def test_a_line_is_moved_by_whole_weeks_and_otherwise_the_same(
    moment: datetime, count: int, metadata: dict[str, str]
) -> None:
    text = moment.isoformat()
    # The same text may lie in the metadata, before or after the event's own.
    fields: dict[str, Any] = {"metadata": {"timestamp": text, **metadata}, "timestamp": text}
    for event in (fields, dict(reversed(fields.items()))):
        line = json.dumps(event).encode()
        moved = shift(line, count)
        after = json.loads(moved)
        assert datetime.fromisoformat(after["timestamp"]) == moment + count * ONE_WEEK
        assert after["timestamp"][10:] == text[10:]
        assert after["metadata"] == fields["metadata"]
        assert len(moved) == len(line)
        assert shift(moved, -count) == line


@pytest.mark.parametrize(
    "text", ["2012-03-14T15:04:54Z", "2012-03-14t15:04:54.5+02:00", "2012-03-14 15:04:54.123456-0800"]
)
def test_precision_and_offset_stay_as_they_were(text: str) -> None:
    line = b'{ "timestamp" :\t"%b","a": 1.50 }' % text.encode()
    assert shift(line, 1) == line.replace(b"2012-03-14", b"2012-03-21")


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[1]",
        b"{}",
        b'{"timestamp":5}',
        b'{"timestamp":"yesterday"}',
        b'{"timestamp":"2012-03-14T15:04:54"}',
        b'{"timestamp":"2012-02-30T15:04:54Z"}',
        b'{"timestamp":"20120314T150454Z"}',
        b'{"timestamp":"2012-W11-3T15:04:54Z"}',
        b'{"timestamp":"9999-12-31T00:00:00Z"}',
        b'{"timestamp":"2012-03-14T15:04:54Z"} {}',
        b'{"timestamp":"2012-03-14T15:04:54Z","a":"\xff',
        b'{"metadata":{"timestamp":"2012-03-14T15:04:54Z"}}',
        b'{"timestamp":"2012-03-14T15:04:54\\u005a"}',
        b'{"timestamp":"2012-03-14T15:04:54Z","a":' + b"[" * 100_000,
    ],
)
def test_a_line_that_cannot_be_moved_stays_as_it_is(line: bytes) -> None:
    assert shift(line, 100) == line


@given(line=st.binary(max_size=60))
def test_any_bytes_can_be_asked(line: bytes) -> None:
    read(line)
    shift(line, 1)


def test_the_field_that_says_when_is_a_matter_of_the_format() -> None:
    assert timestamp_reader("created_at")(b'{"created_at":"2020-01-01T00:00:00Z"}') == datetime(
        2020, 1, 1, tzinfo=UTC
    )
    assert timestamp_reader("created_at")(b'{"timestamp":"2020-01-01T00:00:00Z"}') is None
