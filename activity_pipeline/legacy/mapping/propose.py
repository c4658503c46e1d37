"""A first mapping of an audit table, from the names and types of its columns. A person goes over it."""

from __future__ import annotations

from collections.abc import Mapping as Columns

from activity_pipeline.errors import LegacyError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.legacy.inventory.audit_table import TABLES, TIMES, USERS
from activity_pipeline.legacy.mapping.model import Mapping
from activity_pipeline.legacy.mapping.source import read_columns, read_key, read_words

OPERATIONS = ("operation", "op", "tg_op", "change_type", "event_type")
CANDIDATES: dict[str, tuple[str, ...]] = {
    "source": ("source", "application", "app", "service", "application_name"),
    "action": ("action", "event", "activity"),
    "entity_type": ("entity_type", "object_type", "resource_type", *TABLES),
    "entity_id": ("entity_id", "record_id", "object_id", "row_id", "resource_id", "record_pk"),
    "user_id": USERS,
    "status": ("status", "outcome", "result"),
}
OPERATION_WORDS = {
    "INSERT": "created", "UPDATE": "updated", "DELETE": "deleted", "TRUNCATE": "emptied",
    "I": "created", "U": "updated", "D": "deleted", "T": "emptied",
}  # fmt: skip


def propose_mapping(connection: Statements, table: str) -> Mapping:
    """Propose a mapping: fields by the columns' names, everything else in the metadata.

    Args:
        connection: To the application's database; it is only read.
        table: schema.table of the audit table.

    Raises:
        LegacyError: There is no such table, or none of its columns is a time.
    """
    columns = read_columns(connection, table)
    time = _first(columns, TIMES) or next(
        (name for name, kind in columns.items() if kind.startswith("timestamp")), None
    )
    if time is None:
        raise LegacyError(f"{table} has no column with a time")
    found = {field: _all(columns, names) for field, names in CANDIDATES.items()}
    operation, about = _first(columns, OPERATIONS), _first(columns, TABLES)
    values: dict[str, dict[str, str]] = {}
    if operation:
        words = read_words(connection, table, operation, time)
        values = {operation: {word: OPERATION_WORDS[word] for word in words if word in OPERATION_WORDS}}
        found["action"].append(f"{{{about}}}.{{{operation}}}" if about else operation)
    if not found["action"]:
        found["action"] = [about or "'changed'"]
    found["source"].append("'legacy'")
    found["status"].append("'success'")
    found["user_id"] = [name for name in found["user_id"] if columns[name] == "uuid"]
    fields = {"timestamp": time, **{f: tuple(s) if len(s) > 1 else s[0] for f, s in found.items() if s}}
    plain = Mapping(table, read_key(connection, table), fields, values={c: w for c, w in values.items() if w})
    return Mapping(
        table,
        plain.key,
        fields,
        # Somebody has to look at it: Postgres does not say of which zone it is.
        time_zone="UTC" if columns[time] == "timestamp without time zone" else "",
        # What makes a text, or is a second choice, is kept as it was, too.
        metadata=tuple(name for name in columns if name not in _plain(plain)),
        values=plain.values,
    )


def _plain(mapping: Mapping) -> set[str]:
    """Return the columns of which the event has everything; the key is kept as it was, besides."""
    alone = {mapping.sources(field)[0] for field in mapping.fields if len(mapping.sources(field)) == 1}
    return alone - set(mapping.values) - set(mapping.key)


def _first(columns: Columns[str, str], wanted: tuple[str, ...]) -> str | None:
    return next(iter(_all(columns, wanted)), None)


def _all(columns: Columns[str, str], wanted: tuple[str, ...]) -> list[str]:
    return [name for name in wanted if name in columns]
