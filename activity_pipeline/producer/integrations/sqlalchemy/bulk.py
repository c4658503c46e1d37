"""Statements on many rows: update(), delete() and insert() that a session executes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, TextClause, select, tuple_
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.sql.visitors import iterate

from activity_pipeline.producer.integrations.sqlalchemy.tables import TableRules, plain
from activity_pipeline.producer.integrations.sqlalchemy.work import Work
from activity_pipeline.producer.redaction import REDACTED

_NUMBER = re.compile(r"(_m\d+)?(_\d+)*$")
_KEYS_AT_ONCE = 1000


def execute(state: ORMExecuteState, work: Work) -> Any:
    """Execute a statement and note what it changed; None where it is none of the plugin's business."""
    table = getattr(state.statement, "table", None)
    if not (state.is_update or state.is_delete or state.is_insert) or not isinstance(table, Table):
        return None
    rules = work.rules_of(table)
    if rules is None:
        return None
    connection = state.session.connection(bind_arguments=state.bind_arguments)
    result = _by_row(state, work, connection, table, rules) if rules.bulk == "rows" else None
    if result is None:
        result = state.invoke_statement()
        _summary(state, work, connection, table, rules, result)
    work.write()
    return result


def _operation(state: ORMExecuteState) -> str:
    return "INSERT" if state.is_insert else "UPDATE" if state.is_update else "DELETE"


def _summary(
    state: ORMExecuteState, work: Work, connection: Connection, table: Table, rules: TableRules, result: Any
) -> None:
    """Note one event for all rows: how many, by which criteria."""
    rows = getattr(result, "rowcount", -1)
    if rows < 0:
        # Of an ORM insert of many objects nothing is said.
        rows = len(state.parameters) if isinstance(state.parameters, Sequence) else None
    if rows == 0:
        return
    more: dict[str, Any] = {"rows": rows}
    if not state.is_insert:
        statement: Any = state.statement
        compiled = statement.compile(dialect=connection.dialect)
        # SQL as a text may hold values, of any table, and name parameters as it likes.
        is_hidden = work.hides_some and _has_literal_sql(statement)
        more["statement"] = REDACTED if is_hidden else str(compiled)[:4096]
        given = state.parameters if isinstance(state.parameters, Mapping) else {}
        more["parameters"] = {
            # A function around a column names its parameter, not the column's: what is not known is hidden.
            name: plain(value)
            if column in table.c and not rules.hides(column) and not is_hidden
            else REDACTED
            for name, value in {**compiled.params, **given}.items()
            for column in [_NUMBER.sub("", name)]
        }
    work.note(connection, table, _operation(state), None, rules, more=more)


def _has_literal_sql(statement: Any) -> bool:
    return any(
        isinstance(part, TextClause) or getattr(part, "is_literal", False) for part in iterate(statement)
    )


def _by_row(
    state: ORMExecuteState, work: Work, connection: Connection, table: Table, rules: TableRules
) -> Any:
    """Note an event a row; None, with nothing done, where the statement does not allow to."""
    return (_inserted if state.is_insert else _rewritten)(state, work, connection, table, rules)


def _inserted(
    state: ORMExecuteState, work: Work, connection: Connection, table: Table, rules: TableRules
) -> Any:
    statement: Any = state.statement
    many = isinstance(state.parameters, Sequence) and len(state.parameters) > rules.max_bulk_rows
    if many or statement.returning_column_descriptions:
        return None  # Its result is the application's.
    result: Any = state.invoke_statement(statement=statement.returning(*table.c))
    for row in result:
        new = dict(zip(table.c.keys(), row, strict=True))
        work.note(connection, table, "INSERT", _key(table, new), rules, new=new)
    return result


def _rewritten(
    state: ORMExecuteState, work: Work, connection: Connection, table: Table, rules: TableRules
) -> Any:
    if state.session.autoflush:
        state.session.flush()
    statement: Any = state.statement
    query = select(*table.c).with_for_update(of=table).limit(rules.max_bulk_rows + 1)
    given: Any = state.parameters
    if isinstance(given, Sequence):
        # By primary key, a dict of values a row.
        keys = [tuple(row[c.key] for c in table.primary_key) for row in given]
        query, given = query.where(tuple_(*table.primary_key).in_(keys)), None
    elif statement.whereclause is not None:
        query = query.where(statement.whereclause)
    # Locked until the statement runs: what is read is what it changes.
    before = [dict(row) for row in connection.execute(query, given or {}).mappings()]
    if len(before) > rules.max_bulk_rows:
        return None
    result = state.invoke_statement()
    after = {} if state.is_delete else _by_key(connection, table, [_key(table, row) for row in before])
    for old in before:
        key = _key(table, old)
        new = after.get(key)
        if new is not None and not rules.whole_rows:
            changed = {name for name, value in new.items() if old[name] != value}
            old = {name: old[name] for name in changed}  # noqa: PLW2901
            new = {name: new[name] for name in changed}
        if state.is_delete or new is None or any(rules.wants(name) for name in new):
            work.note(connection, table, _operation(state), key, rules, old=old, new=new)
    return result


def _by_key(connection: Connection, table: Table, keys: Sequence[tuple[Any, ...]]) -> dict[Any, Any]:
    rows: dict[Any, Any] = {}
    for start in range(0, len(keys), _KEYS_AT_ONCE):
        some = tuple_(*table.primary_key).in_(keys[start : start + _KEYS_AT_ONCE])
        for row in connection.execute(select(*table.c).where(some)).mappings():
            rows[_key(table, row)] = dict(row)
    return rows


def _key(table: Table, row: Any) -> tuple[Any, ...]:
    return tuple(row[c.name] for c in table.primary_key)
