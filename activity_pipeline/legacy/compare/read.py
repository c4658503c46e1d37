"""Audit rows, streamed by transaction."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any

from psycopg import sql

from activity_pipeline.hot.changes import ROWS_AT_ONCE
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.legacy.compare.columns import AuditColumns
from activity_pipeline.legacy.compare.pairs import AuditedChange
from activity_pipeline.legacy.compare.scope import Scope

_SQL = load_queries(__file__)
_OPERATIONS = {"I": "INSERT", "C": "INSERT", "U": "UPDATE", "D": "DELETE"}


def audited_changes(
    application: Statements, scope: Scope, after: datetime, until: datetime
) -> Iterator[AuditedChange]:
    """Yield the audit rows of a span by transaction, but those of redundant triggers.

    Args:
        application: Kept in a transaction until the last one is taken.
        scope: What is compared.
        after: From when on.
        until: Until when, not included.
    """
    with ExitStack() as stack:
        stack.enter_context(application.transaction())
        streams = []
        for number, audit in enumerate(scope.audits):
            cursor = stack.enter_context(application.cursor(f"audited_{number}"))
            cursor.itersize = ROWS_AT_ONCE
            query, values = _query(audit, scope)
            cursor.execute(query, {**values, "after": after, "until": until})
            streams.append(_changes(cursor, scope))
        yield from heapq.merge(*streams, key=lambda change: change.txid)


def _query(audit: AuditColumns, scope: Scope) -> tuple[sql.Composed, dict[str, Any]]:
    def column(name: str | None) -> sql.Composable:
        return sql.Identifier(name) if name else sql.NULL

    ignored = list(scope.rules.ignored.items())
    values = {f"ignored_{number}": list(texts) for number, (_, texts) in enumerate(ignored)}
    but = [
        sql.SQL(_SQL["but"]).format(column=column(name), values=sql.Placeholder(f"ignored_{number}"))
        for number, (name, _) in enumerate(ignored)
    ]
    query = sql.SQL(_SQL["rows"]).format(
        transaction=column(audit.transaction),
        schema=column(audit.schema),
        table=column(audit.table),
        operation=column(audit.operation),
        key=column(audit.key),
        time=column(audit.time),
        old=column(audit.old),
        new=column(audit.new),
        audit=sql.Identifier(*audit.name.split(".", 1)),
        but=sql.SQL(" ").join(but),
    )
    return query, values


def _changes(cursor: Any, scope: Scope) -> Iterator[AuditedChange]:
    for txid, schema_name, table_name, operation, key, at, old, new in cursor:
        name = f"{schema_name}.{table_name}" if schema_name else scope.resolve(table_name)
        if name in scope.tables:
            operation_name = _OPERATIONS.get(operation[:1].upper(), operation)
            yield AuditedChange(txid, name, operation_name, key, at, old, new)
