"""When Postgres plans a statement: anew each time, with its values, or once for a connection.

With thirty days, planning is most of what looking somebody up costs: 1.5 ms anew and 0.45 ms with the plan
kept (23 sealed days, one user). But a plan for any value knows no value that is rare, and would walk through
all days for it. So it is for conditions that have one way to be looked up, whatever their values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from psycopg import sql

from activity_pipeline.hot.connection import Statements

_KEEP: Final = "set plan_cache_mode = force_generic_plan"
_ANEW: Final = "set plan_cache_mode = auto"


@dataclass(frozen=True, slots=True)
class Statement:
    """One that reads.

    Attributes:
        query: Constants put together.
        parameters: Its values.
        is_kept: Whether its plan is.
    """

    query: sql.SQL | sql.Composed
    parameters: dict[str, Any]
    is_kept: bool = False


def fetch(connection: Statements, statement: Statement) -> list[Any]:
    """Return the rows of a statement."""
    if not statement.is_kept:
        return connection.execute(statement.query, statement.parameters, prepare=False).fetchall()
    (rows,) = fetch_each(connection, [statement])
    return rows


def fetch_each(connection: Statements, statements: Sequence[Statement]) -> list[list[Any]]:
    """Return the rows of each of some statements, in one round trip.

    Where one fails, all of them have: Postgres takes back what they set as well.
    """
    with connection.pipeline():
        cursors = []
        is_kept = False
        for statement in statements:
            if statement.is_kept != is_kept:
                connection.execute(_KEEP if statement.is_kept else _ANEW)
                is_kept = statement.is_kept
            cursors.append(
                connection.execute(statement.query, statement.parameters, prepare=statement.is_kept)
            )
        if is_kept:
            connection.execute(_ANEW)
    return [cursor.fetchall() for cursor in cursors]
