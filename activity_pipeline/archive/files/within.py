"""Rows of some days alone, out of files that may hold others too."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import duckdb

from activity_pipeline.events.days import ONE_DAY


def within(first: date, last: date) -> duckdb.Expression:
    """Return the condition that an event lies on one of the days from `first` to `last`."""
    start, end = (datetime.combine(day, time.min, UTC) for day in (first, last + ONE_DAY))
    stamp = duckdb.ColumnExpression("timestamp")
    return (stamp >= duckdb.ConstantExpression(start)) & (stamp < duckdb.ConstantExpression(end))
