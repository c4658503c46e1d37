"""Rows of some days alone, out of files that may hold others too."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

import duckdb

from activity_pipeline.events.days import span_of


def within(days: Collection[date]) -> duckdb.Expression:
    """Return the condition that an event lies between the first and the last of some days."""
    start, end = span_of(days)
    stamp = duckdb.ColumnExpression("timestamp")
    return (stamp >= duckdb.ConstantExpression(start)) & (stamp < duckdb.ConstantExpression(end))
