"""Whether an audit row and an event say the same of a row. Pure.

Triggers write what to_jsonb makes of a row, applications what their driver gave them. The same number may
be 5.00 or "5.00", the same instant end in Z or +00:00: they are equal. Where a trigger or an application
has said nothing there is nothing to compare, but what an event leaves out must not have changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from activity_pipeline.producer.redaction import REDACTED

Row = Mapping[str, Any]
_decode = msgspec.json.Decoder(float_hook=Decimal).decode
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")


def read_row(text: str | None) -> Row | None:
    """Return a row from JSON; None where there is none, or it is no object."""
    if text is None:
        return None
    try:
        found = _decode(text)
    except msgspec.DecodeError:
        return None
    return found if isinstance(found, dict) else None


def differing(
    operation: str,
    audited: tuple[Row | None, Row | None],
    told: tuple[Row | None, Row | None],
    passes: Callable[[str], bool],
) -> list[str]:
    """Return the names of the columns that an audit row and an event do not agree on.

    Args:
        operation: INSERT, UPDATE or DELETE.
        audited: The row before and after, as the trigger saw it.
        told: The same, as the event tells it; an update may tell the changed columns alone.
        passes: Whether a column is not to be compared.
    """
    wrong: set[str] = set()
    before, after = audited
    for name, there, here in (("old", before, told[0]), ("new", after, told[1])):
        if there is None:
            continue
        if here is None:
            # Such a change has this side: an event that does not tell it has lost it.
            wrong.add(name)
            continue
        for column, value in there.items():
            if passes(column):
                continue
            if column in here:
                if here[column] != REDACTED and not same(value, here[column]):
                    wrong.add(column)
            elif operation == "UPDATE":
                if before is not None and after is not None and before.get(column) != after.get(column):
                    wrong.add(column)
            elif value is not None:
                wrong.add(column)
    return sorted(wrong)


def same(one: Any, other: Any) -> bool:
    """Whether two values of JSON mean the same value of a column."""
    if isinstance(one, bool) or isinstance(other, bool) or one is None or other is None:
        return one is other
    if isinstance(one, str) and isinstance(other, str):
        return one == other or _same_time(one, other)
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, (int, Decimal, str)) and isinstance(other, (int, Decimal, str)):
        return _number(one) == _number(other) is not None
    return False


def _number(value: int | Decimal | str) -> Decimal | None:
    try:
        number = Decimal(value)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _same_time(one: str, other: str) -> bool:
    if not (_TIME.match(one) and _TIME.match(other)):
        return False
    try:
        return datetime.fromisoformat(one) == datetime.fromisoformat(other)
    except ValueError:
        return False
