"""What a trigger costs a row: as Postgres has counted it, or tried on a few rows and rolled back."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.legacy.catalogue import Trigger

_SQL = load_queries(__file__)
SAMPLE_ROWS = 20


class _UndoneError(Exception):
    """Ends a transaction that was never meant to last."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What was measured.

    Attributes:
        calls: Over how many calls.
        total_ms: What they took together, in milliseconds.
    """

    calls: int
    total_ms: float

    @property
    def mean_ms(self) -> float:
        """What one takes."""
        return self.total_ms / self.calls


def counted_costs(connection: Statements) -> dict[str, Cost]:
    """Return what Postgres counted by schema.function; nothing where `track_functions` is off."""
    return {
        name: Cost(calls, total_ms)
        for name, calls, total_ms in connection.execute(_SQL["function_costs"])
        if calls
    }


def sampled_costs(dsn: str, triggers: Sequence[Trigger]) -> dict[str, Cost]:
    """Write a few rows of each table anew and take it back; return the cost by schema.table.trigger.

    It locks these rows for moments and waits for nobody. What a trigger does outside of the transaction, such
    as taking numbers from sequences, stays. Tables without rows are left out, and rows whose deletion is
    refused.

    Args:
        dsn: The application's database; its user must be allowed to write the tables.
        triggers: Whose tables.
    """
    costs: dict[str, Cost] = {}
    tables = {trigger.relation: trigger.table_name for trigger in triggers}
    with connect(dsn) as connection:
        for relation, table_name in sorted(tables.items()):
            with contextlib.suppress(_UndoneError, psycopg.Error), connection.transaction():
                connection.execute(_SQL["short_waits"])
                for name, cost in _of_table(connection, relation, table_name):
                    costs[f"{table_name}.{name}"] = cost
                raise _UndoneError
    return costs


def _of_table(connection: Statements, relation: str, table_name: str) -> Iterator[tuple[str, Cost]]:
    table = sql.Identifier(*table_name.split(".", 1))
    found = connection.execute(sql.SQL(_SQL["some_rows"]).format(table=table), {"rows": SAMPLE_ROWS})
    places = [place for (place,) in found]
    columns = [
        sql.Identifier(name) for name, _ in connection.execute(_SQL["columns"], {"relation": relation})
    ]
    if not places or not columns:
        return
    names = {"table": table, "column": columns[0], "columns": sql.SQL(", ").join(columns)}
    for steps in (("update",), ("copy", "delete", "insert")):
        with contextlib.suppress(_UndoneError, psycopg.Error), connection.transaction():
            for step in steps:
                result = connection.execute(sql.SQL(_SQL[step]).format(**names), {"places": places})
                if step != "copy":
                    yield from _triggers_of(result.fetchone())
            raise _UndoneError


def _triggers_of(row: tuple[Any, ...] | None) -> Iterator[tuple[str, Cost]]:
    plans: Sequence[Mapping[str, Any]] = row[0] if row else []
    for plan in plans:
        for trigger in plan.get("Triggers", ()):
            if trigger["Calls"]:
                yield trigger["Trigger Name"], Cost(trigger["Calls"], trigger["Time"])
