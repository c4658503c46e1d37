"""Which columns of an audit table say what: found by their names, or said in the override file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from activity_pipeline.errors import LegacyError
from activity_pipeline.legacy.inventory.audit_table import TABLES, TIMES

_KNOWN: Mapping[str, tuple[str, ...]] = {
    "transaction": ("transaction_id", "txid", "tx_id", "xid"),
    "schema": ("table_schema", "schema_name", "schemaname", "nspname"),
    "table": TABLES,
    "operation": ("operation", "op", "tg_op", "action", "event"),
    "key": ("record_id", "row_id", "row_key", "entity_id", "object_id", "pk", "primary_key"),
    "time": TIMES,
    "old": ("old_values", "old_data", "old_row", "old", "before"),
    "new": ("new_values", "new_data", "new_row", "new", "after"),
}
_MAY_LACK = ("schema", "old", "new")


@dataclass(frozen=True, slots=True)
class AuditColumns:
    """An audit table's columns, by what they say.

    Attributes:
        name: schema.table of the audit table.
        transaction: What txid_current() was.
        table: The table that a row is about.
        operation: INSERT, UPDATE or DELETE, or what begins like it.
        key: The row's key.
        time: When.
        schema: The table's schema.
        old: The row before, as JSON.
        new: The row after it, as JSON.
    """

    name: str
    transaction: str
    table: str
    operation: str
    key: str
    time: str
    schema: str | None = None
    old: str | None = None
    new: str | None = None


def find_columns(name: str, there: Collection[str], said: Mapping[Any, str]) -> AuditColumns:
    """Return the columns of an audit table that matter.

    Args:
        name: schema.table of it.
        there: Names of its columns.
        said: What the override file says of them.

    Raises:
        LegacyError: One that is needed is not found, or is not there.
    """
    found: dict[str, str | None] = {}
    for what, names in _KNOWN.items():
        column = said.get(what) or next((each for each in names if each in there), None)
        if column is None and what not in _MAY_LACK:
            raise LegacyError(
                f"{name} has no column that is known to hold the {what}: say it in the override file, "
                f"under [compare.columns], as {what} = …",
                column=what,
            )
        if column is not None and column not in there:
            raise LegacyError(f"{name} has no column {column}", column=column)
        found[what] = column
    return AuditColumns(name, **found)  # type: ignore[arg-type]
