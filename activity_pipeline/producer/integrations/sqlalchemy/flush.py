"""Objects that a flush writes, as changes of rows: one a table, so two with joined inheritance."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Connection, Table, and_, event, inspect, select
from sqlalchemy.orm import Mapper, object_session
from sqlalchemy.orm.exc import UnmappedColumnError
from sqlalchemy.sql import ClauseElement

from activity_pipeline.producer.integrations.sqlalchemy.tables import TableRules
from activity_pipeline.producer.integrations.sqlalchemy.work import KEY, Work

_UNKNOWN: Any = object()
Columns = dict[str, str]
"""Names of a table's columns, and of the attributes that they are mapped to."""


def listen() -> None:
    """Look at what every mapper writes; sessions without the plugin are passed over."""
    for name, listener in (
        ("before_update", _before_update),
        ("before_delete", _before_delete),
        ("after_insert", _after_insert),
        ("after_update", _after_update),
        ("after_delete", _after_delete),
    ):
        if not event.contains(Mapper, name, listener):
            event.listen(Mapper, name, listener)


def _audited(mapper: Mapper[Any], target: object) -> Iterator[tuple[Work, Table, TableRules, Columns]]:
    session = object_session(target)
    work: Work | None = session.info.get(KEY) if session else None
    if work is None:
        return
    for table in mapper.tables:
        if isinstance(table, Table) and (rules := work.rules_of(table)):
            yield work, table, rules, _columns(mapper, table)


def _columns(mapper: Mapper[Any], table: Table) -> Columns:
    columns: Columns = {}
    for column in table.c:
        with contextlib.suppress(UnmappedColumnError):
            columns[column.name] = mapper.get_property_by_column(column).key
    return columns


def _value(target: object, attribute: str, *, old: bool) -> Any:
    """Return an attribute's value, or the one that it had in the database; _UNKNOWN where not loaded."""
    state: Any = inspect(target)
    history = state.attrs[attribute].history
    if old and history.added:
        return history.deleted[0] if history.deleted else _UNKNOWN
    value = state.dict.get(attribute, _UNKNOWN)
    return _UNKNOWN if isinstance(value, ClauseElement) else value


def _row(
    connection: Connection,
    target: object,
    table: Table,
    columns: Columns,
    wanted: Sequence[str],
    *,
    old: bool,
    always: bool = False,
) -> dict[str, Any]:
    """Return columns of an object's row; asks the database for what the session has not loaded."""
    row = {name: _value(target, columns[name], old=old) for name in wanted}
    missing = list(table.c.keys()) if always else [name for name, value in row.items() if value is _UNKNOWN]
    if missing:
        keys = _key(target, table, columns, old=old)
        where = and_(*(c == key for c, key in zip(table.primary_key, keys, strict=True)))
        found = (
            connection.execute(select(*(table.c[name] for name in missing)).where(where)).mappings().first()
        )
        row = {name: value for name, value in row.items() if value is not _UNKNOWN} | dict(found or {})
    return row


def _key(target: object, table: Table, columns: Columns, *, old: bool) -> list[Any]:
    state: Any = inspect(target)
    key = [_value(target, columns[c.name], old=old) for c in table.primary_key]
    if _UNKNOWN in key:
        mapper = state.mapper
        names = [mapper.get_property_by_column(column).key for column in mapper.primary_key]
        known = dict(zip(names, state.identity, strict=True))
        key = [known[columns[c.name]] for c in table.primary_key]
    return key


def _changed(target: object, columns: Columns, rules: TableRules) -> list[str]:
    state: Any = inspect(target)
    return [
        name
        for name, attribute in columns.items()
        if rules.wants(name) and state.attrs[attribute].history.has_changes()
    ]


def _before_update(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    for work, table, rules, columns in _audited(mapper, target):
        if changed := _changed(target, columns, rules):
            old = _row(connection, target, table, columns, changed, old=True, always=rules.whole_rows)
            work.before.setdefault(inspect(target), {})[table.fullname] = old


def _before_delete(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    for work, table, rules, columns in _audited(mapper, target):
        wanted = [name for name in columns if rules.wants(name)]
        old = _row(connection, target, table, columns, wanted, old=True, always=rules.whole_rows)
        work.before.setdefault(inspect(target), {})[table.fullname] = old


def _after_insert(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    for work, table, rules, columns in _audited(mapper, target):
        wanted = [name for name in columns if rules.wants(name)]
        new = _row(connection, target, table, columns, wanted, old=False, always=rules.whole_rows)
        work.note(connection, table, "INSERT", _key(target, table, columns, old=False), rules, new=new)


def _after_update(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    for work, table, rules, columns in _audited(mapper, target):
        old = work.before.get(inspect(target), {}).pop(table.fullname, None)
        if old is not None:
            changed = [name for name in old if name in columns]
            new = _row(connection, target, table, columns, changed, old=False, always=rules.whole_rows)
            key = _key(target, table, columns, old=False)
            work.note(connection, table, "UPDATE", key, rules, old=old, new=new)


def _after_delete(mapper: Mapper[Any], connection: Connection, target: object) -> None:
    for work, table, rules, columns in _audited(mapper, target):
        old = work.before.get(inspect(target), {}).pop(table.fullname, None)
        if old is not None:
            work.note(connection, table, "DELETE", _key(target, table, columns, old=True), rules, old=old)
