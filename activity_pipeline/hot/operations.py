"""Durations of operations in Postgres: a row for each hour and operation, whoever recorded them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.operations import Histogram, Operation
from activity_pipeline.operations.recorder import HOUR_S, Hour

_SQL = load_queries(__file__)


def write(statements: Statements, recorded: Mapping[tuple[Hour, Operation], Histogram]) -> None:
    """Add what a process recorded, in one transaction; forget hours of long ago."""
    hours = [
        {"hour": _start(hour).isoformat(), "operation": operation, **asdict(histogram)}
        for (hour, operation), histogram in recorded.items()
    ]
    totals: dict[Operation, Histogram] = {}
    for (_, operation), histogram in recorded.items():
        totals.setdefault(operation, Histogram()).merge(histogram)
    added = [{"operation": operation, **asdict(histogram)} for operation, histogram in totals.items()]
    with statements.transaction():
        named = {"rows": json.dumps(hours)}
        statements.execute(_SQL["add"], named)
        statements.execute(_SQL["put_quantiles"], named)
        statements.execute(_SQL["add_totals"], {"rows": json.dumps(added)})
        statements.execute(_SQL["forget"])


def read_hours(statements: Statements, since: datetime) -> dict[tuple[datetime, Operation], Histogram]:
    """Return the hours that begin at `since` or later, in order."""
    return {
        (hour, operation): _histogram(*figures)
        for hour, operation, *figures in statements.execute(_SQL["hours"], {"since": since})
    }


def read_totals(statements: Statements) -> dict[Operation, Histogram]:
    """Return all that was ever recorded, by operation."""
    return {operation: _histogram(*figures) for operation, *figures in statements.execute(_SQL["totals"])}


def _start(hour: Hour) -> datetime:
    return datetime.fromtimestamp(hour * HOUR_S, UTC)


def _histogram(*figures: Any) -> Histogram:
    return Histogram(*figures)
