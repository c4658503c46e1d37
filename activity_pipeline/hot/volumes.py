"""Metrics summed up for a picture: how much there was over time, and of what there was most."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Literal

from psycopg.rows import class_row

from activity_pipeline.events.model import FAILURE_STATUSES
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
Step = Literal["day", "hour"]
Ranked = Literal["sources", "actions", "failing_actions", "users"]


@dataclass(frozen=True, slots=True)
class Volume:
    """What there was in one step of time.

    Attributes:
        start: Its first instant.
        events: Events in it.
        failures: Those with a status that means failure.
    """

    start: datetime
    events: int
    failures: int


@dataclass(frozen=True, slots=True)
class Rank:
    """One of those with the most events.

    Attributes:
        name: Of a source, action or user.
        events: Its events.
        failures: Those with a status that means failure.
    """

    name: str
    events: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Which series, on which UTC days; None takes any.

    Attributes:
        first: The first day.
        last: The last day.
        sources: The only sources that may be looked at.
        source: Any of these sources.
        action: Any of these actions.
        action_prefix: What the action begins with.
        status: Any of these statuses.
    """

    first: date
    last: date
    sources: list[str] | None = None
    source: list[str] | None = None
    action: list[str] | None = None
    action_prefix: str | None = None
    status: list[str] | None = None


def read_volume(connection: Statements, series: Series, step: Step) -> list[Volume]:
    """Return how many events there were in each step that had any, in order."""
    parameters = {**asdict(series), "failure_statuses": sorted(FAILURE_STATUSES)}
    with connection.cursor(row_factory=class_row(Volume)) as cursor:
        return cursor.execute(_SQL[step], parameters).fetchall()


def read_ranking(
    connection: Statements,
    ranked: Ranked,
    days: tuple[date, date],
    *,
    sources: Collection[str] | None,
    source: str | None,
    limit: int,
) -> list[Rank]:
    """Return those with the most events.

    Args:
        connection: Postgres.
        ranked: What is ranked.
        days: First and last UTC day.
        sources: The only sources that may be looked at; None for all.
        source: One source; users are not counted by source.
        limit: How many at the most.
    """
    parameters = {
        "first": days[0],
        "last": days[1],
        "sources": None if sources is None else list(sources),
        "source": source,
        "limit": limit,
        "failure_statuses": sorted(FAILURE_STATUSES),
    }
    with connection.cursor(row_factory=class_row(Rank)) as cursor:
        return cursor.execute(_SQL[ranked], parameters).fetchall()
