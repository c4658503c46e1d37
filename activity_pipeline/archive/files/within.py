"""Rows of some days or hours alone, out of files that may hold others too."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time

import duckdb

from activity_pipeline.events.days import ONE_DAY


def within(first: date, last: date) -> duckdb.Expression:
    """Return the condition that an event lies on one of the days from `first` to `last`."""
    return _between(_midnight(first), _midnight(last + ONE_DAY))


def slices(day: date, count: int) -> Iterator[duckdb.Expression]:
    """Yield the conditions that an event lies in each of the equal parts of a day, in order."""
    start = _midnight(day)
    for part in range(count):
        yield _between(start + ONE_DAY * part // count, start + ONE_DAY * (part + 1) // count)


def _between(start: datetime, end: datetime) -> duckdb.Expression:
    stamp = duckdb.ColumnExpression("timestamp")
    return (stamp >= duckdb.ConstantExpression(start)) & (stamp < duckdb.ConstantExpression(end))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)
