"""A few rows of the tables computed from events, by psycopg: opening a bulk connection takes 90 ms."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from psycopg.rows import dict_row

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.hot.results import ResultKind

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which rows; None takes any.

    Attributes:
        first: The first UTC day.
        last: The last UTC day.
        sources: The only sources that may be looked at.
        source: One source.
        action: One action.
        limit: Rows at the most.
    """

    first: date
    last: date
    sources: Collection[str] | None = None
    source: str | None = None
    action: str | None = None
    limit: int


def read_page(connection: Statements, kind: ResultKind, wanted: Wanted) -> tuple[list[dict[str, Any]], int]:
    """Return the first rows that fit, in the order of the table's key, and how many fit."""
    parameters = {
        "first": wanted.first,
        "last": wanted.last,
        "sources": None if wanted.sources is None else list(wanted.sources),
        "source": wanted.source,
        "action": wanted.action,
        "limit": wanted.limit,
    }
    with connection.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(_SQL[kind], parameters).fetchall()
    return rows, rows[0]["total"] if rows else 0
