"""What is logged of a table: its columns, by which way, how much of a bulk statement."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from activity_pipeline.producer.redaction import REDACTED

MAX_TEXT_CHARACTERS = 4096
"""Longer values are cut, and named in `cut` of the metadata."""

MAX_VALUES_BYTES = 48 * 1024
"""Larger rows keep the names of their columns alone: an event's metadata ends at 64 KiB."""


@dataclass(frozen=True, slots=True)
class TableRules:
    """What is logged of a table.

    Attributes:
        delivery: `outbox` writes events in the transaction, `queue` sends them once it has committed.
        include: The only columns whose values are logged; None for all.
        exclude: Columns that leave no trace: a change of them alone is no event.
        redact: Columns that are named but whose values are blanked.
        whole_rows: Read each row before and after a change, as row-level triggers see it, with what
            defaults and triggers of the database made of it. One or two queries an object. Otherwise an
            update tells the changed columns, and the database is asked only for what the session has not
            loaded.
        bulk: `summary` logs one event for an insert(), update() or delete(), with its row count and
            criteria; `rows` one a row, with old and new values.
        max_bulk_rows: A statement on more rows is logged as a summary.
    """

    delivery: Literal["outbox", "queue"] = "queue"
    include: Collection[str] | None = None
    exclude: Collection[str] = ()
    redact: Collection[str] = ()
    whole_rows: bool = False
    bulk: Literal["summary", "rows"] = "summary"
    max_bulk_rows: int = 10_000

    def wants(self, column: str) -> bool:
        """Whether a column's changes are logged."""
        return column not in self.exclude and (self.include is None or column in self.include)

    def hides(self, column: str) -> bool:
        """Whether a column's values must not leave the process."""
        return column in self.redact or not self.wants(column)

    @property
    def hides_some(self) -> bool:
        """Whether there may be columns whose values must not leave the process."""
        return self.include is not None or bool(self.exclude) or bool(self.redact)

    def shown(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the logged columns' values as JSON has them, redacted."""
        return {
            # SQLAlchemy's names are not quite strings, and JSON wants strings.
            str(name): REDACTED if name in self.redact and value is not None else plain(value)
            for name, value in values.items()
            if self.wants(name)
        }


def plain(value: Any) -> Any:
    """Return a value as JSON has it; bytes as Postgres writes bytea, what JSON cannot hold as text."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return "\\x" + bytes(value).hex()
    return msgspec.to_builtins(value, str_keys=True, enc_hook=str)


def fit(metadata: dict[str, Any], parts: Iterable[str]) -> dict[str, Any]:
    """Cut what would not fit into an event: long texts, or all values of the parts of the metadata."""
    cut: set[str] = set()
    for part in parts:
        for name, value in metadata.get(part, {}).items():
            if isinstance(value, str) and len(value) > MAX_TEXT_CHARACTERS:
                metadata[part][name] = value[:MAX_TEXT_CHARACTERS]
                cut.add(name)
    kept = {part: metadata[part] for part in parts if part in metadata}
    if len(msgspec.json.encode(kept)) > MAX_VALUES_BYTES:
        for part, values in kept.items():
            cut |= set(values)
            metadata[part] = {}
    return {**metadata, "cut": sorted(cut)} if cut else metadata
