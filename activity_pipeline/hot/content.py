"""What Postgres holds of the days that are on their way to the archive, hashed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from activity_pipeline.events.content import Content
from activity_pipeline.events.days import span_of
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Held:
    """What Postgres holds of a day's generation.

    Attributes:
        content: Its content hash.
        versions: Of its row versions; the same again: no row was added, changed or removed since, and the
            content is what it was. A table that was rewritten has others although its rows are the same.
    """

    content: Content
    versions: str


def held(connection: Statements, current: Sequence[date], late: Sequence[date]) -> dict[date, Held]:
    """Hash the rows of days in Postgres.

    Args:
        connection: Postgres.
        current: Days whose partition it is about.
        late: Days whose late rows up to their cut it is about.
    """
    return {
        day: Held(Content.of(rows, first or 0, second or 0), versions)
        for day, (rows, first, second, versions) in _asked(connection, "held", current, late)
    }


def versions(connection: Statements, current: Sequence[date], late: Sequence[date]) -> dict[date, str]:
    """Return the row versions of days, as `held` does, without reading what the rows say."""
    return {day: versions for day, (versions,) in _asked(connection, "versions", current, late)}


def _asked(
    connection: Statements, query: str, current: Sequence[date], late: Sequence[date]
) -> Iterator[tuple[date, tuple[Any, ...]]]:
    """Ask about one day after another: no rows need sorting by day, and workers may share one out."""
    for where, days in (("current", current), ("late", late)):
        spans = [dict(zip(("first_at", "end_at"), span_of([day]), strict=True)) for day in days]
        if spans:
            with connection.cursor() as cursor:
                cursor.executemany(_SQL[f"{query}_{where}"], spans, returning=True)
                for day, result in zip(days, cursor.results(), strict=True):
                    (row,) = result.fetchall()
                    yield day, row
