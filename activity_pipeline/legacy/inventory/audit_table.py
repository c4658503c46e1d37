"""How much an audit table holds and grows by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import psycopg
from psycopg import sql

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
RECENT = timedelta(days=7)
PATIENCE_S = 30
TIMES = ("created_at", "action_tstamp_tx", "changed_at", "logged_at", "occurred_at", "ts", "timestamp", "at")
TABLES = ("table_name", "relation_name", "relname", "tablename", "entity_type", "record_type")
USERS = ("user_id", "actor_id", "changed_by", "created_by", "actor", "user_name", "username")


@dataclass(frozen=True, slots=True)
class AuditTable:
    """An audit table.

    Attributes:
        name: schema.table.
        columns: How many.
        rows: How many, as Postgres estimates them, or as counted where all are recent.
        size_bytes: With indexes.
        rows_a_day: Over the last days that have rows; none where that took too long or no time is known.
        bytes_a_day: The same share of the size.
        by_table: Rows a day by the name of the table that they are about.
        by_user: Share of them that name a user, from 0 to 1, by the same.
    """

    name: str
    columns: int
    rows: int
    size_bytes: int
    rows_a_day: float | None = None
    bytes_a_day: float | None = None
    by_table: Mapping[str, float] = field(default_factory=dict)
    by_user: Mapping[str, float] = field(default_factory=dict)


def read_audit_table(connection: Statements, name: str) -> AuditTable:
    """Measure an audit table: its last week is counted, the rest estimated.

    Args:
        connection: In a transaction.
        name: schema.table.
    """
    table = sql.Identifier(*name.split(".", 1))
    relation = table.as_string(connection)
    columns = dict(connection.execute(_SQL["columns"], {"relation": relation}).fetchall())
    size = connection.execute(_SQL["size"], {"relation": relation}).fetchone()
    if size is None:
        raise AssertionError("an aggregate without group by returns one row")
    rows, size_bytes = size
    plain = AuditTable(name, len(columns), rows, size_bytes)
    time = _first(columns, TIMES) or next(
        (c for c, kind in columns.items() if kind.startswith("timestamp")), None
    )
    if time is None:
        return plain
    names = {"time": sql.Identifier(time), "table": table}
    about, user = _first(columns, TABLES), _first(columns, USERS)
    try:
        with connection.transaction():
            connection.execute(_SQL["impatient"], {"milliseconds": PATIENCE_S * 1000})
            span = connection.execute(sql.SQL(_SQL["span"]).format(**names)).fetchone()
            if span is None or span[0] is None:
                return plain
            query = sql.SQL(_SQL["recent"]).format(
                about=sql.Identifier(about) if about else sql.Literal(""),
                user=sql.Identifier(user) if user else sql.Literal(None),
                **names,
            )
            recent = connection.execute(query, {"since": span[1] - RECENT}).fetchall()
            connection.execute(_SQL["impatient"], {"milliseconds": 0})
    except psycopg.errors.QueryCanceled:
        return plain
    return _with_rates(plain, span, recent)


def _with_rates(
    plain: AuditTable, span: tuple[datetime, datetime], recent: Sequence[tuple[str | None, int, int]]
) -> AuditTable:
    days = max(min(RECENT, span[1] - span[0]) / timedelta(days=1), 1.0)
    counted = sum(count for _, count, _ in recent)
    rows = counted if span[1] - span[0] <= RECENT else max(plain.rows, counted)
    a_day = counted / days
    return AuditTable(
        name=plain.name,
        columns=plain.columns,
        rows=rows,
        size_bytes=plain.size_bytes,
        rows_a_day=a_day,
        bytes_a_day=plain.size_bytes / rows * a_day if rows else 0.0,
        by_table={about or "": count / days for about, count, _ in recent},
        by_user={about or "": users / count for about, count, users in recent},
    )


def _first(columns: Mapping[str, str], wanted: Sequence[str]) -> str | None:
    return next((name for name in wanted if name in columns), None)
