"""What a question about events asks for: the same for every place in which they may live."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from activity_pipeline.errors import QuestionError

Order = Literal["newest", "oldest"]
Needle = Mapping[str, Any]
MOST_VALUES = 100
"""Values of one field that a question may list."""

MOST_TEXT = 256
"""Characters of a text to look for."""

MOST_NEEDLE_BYTES = 4096
"""Bytes of metadata to look for, as JSON."""

AGO = re.compile(r"([0-9]{1,4})([mhd])")
"""How long before now."""

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_ONE_OR_MANY = {"sources": "source", "actions": "action", "statuses": "status", "users": "user"}
_PLAIN = ("action_prefix", "entity_type", "entity_id", "text", "event_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What events must be like; None asks nothing of a field. All of them must hold.

    Attributes:
        since: The first instant, or how long before now it lies.
        until: The first instant that is too late; None for no end.
        sources: Any of these; an empty tuple holds for no event.
        actions: Any of these.
        action_prefix: What the action begins with.
        statuses: Any of these.
        entity_type: The kind of thing.
        entity_id: Which thing.
        users: Any of these; an empty tuple holds for no event.
        text: Words that action and metadata's description have all, whatever their endings (English).
        metadata: What the metadata contains, as `@>` of Postgres understands it.
        event_id: The one event.
    """

    since: datetime | timedelta | None = None
    until: datetime | None = None
    sources: tuple[str, ...] | None = None
    actions: tuple[str, ...] | None = None
    action_prefix: str | None = None
    statuses: tuple[str, ...] | None = None
    entity_type: str | None = None
    entity_id: str | None = None
    users: tuple[UUID, ...] | None = None
    text: str | None = None
    metadata: Needle | None = None
    event_id: UUID | None = None

    @property
    def is_hopeless(self) -> bool:
        """Whether no event can be like this."""
        return () in (self.sources, self.actions, self.statuses, self.users)

    def conditions(self) -> dict[str, Any]:
        """Return what is asked but for instants: the name of each condition, which is that of its parameter.

        One value of a field is a condition of its own: with it an index keeps its order.
        """
        asked: dict[str, Any] = {}
        for many, one in _ONE_OR_MANY.items():
            values = getattr(self, many)
            if values is not None:
                asked |= {one: values[0]} if len(values) == 1 else {many: list(values)}
        asked |= {name: getattr(self, name) for name in _PLAIN if getattr(self, name) is not None}
        if self.metadata:
            asked["metadata"] = needle_text(self.metadata)
        return asked

    def check(self) -> None:
        """Refuse what no store could answer.

        Raises:
            QuestionError: With the `field` that is wrong.
        """
        for name in ("since", "until"):
            instant = getattr(self, name)
            if isinstance(instant, datetime) and instant.tzinfo is None:
                raise QuestionError(f"{name} needs an offset from UTC", field=name)
        for name, values in self._listed():
            if len(values) > MOST_VALUES:
                raise QuestionError(f"{name} may list {MOST_VALUES} values at the most", field=name)
        for name, text in self._texts():
            if "\0" in text:
                raise QuestionError(f"{name} holds a NUL, which no event does", field=name)
        if self.text is not None and len(self.text) > MOST_TEXT:
            raise QuestionError(f"text may have {MOST_TEXT} characters at the most", field="text")
        if len(needle_text(self.metadata or {}).encode()) > MOST_NEEDLE_BYTES:
            raise QuestionError(f"metadata may have {MOST_NEEDLE_BYTES} bytes at the most", field="metadata")

    def restricted(self, sources: Collection[str] | None, user: UUID | None) -> Filters:
        """Return the same question about some sources and one user alone, where they are given."""
        narrowed = self
        if sources is not None:
            asked = sources if self.sources is None else set(self.sources) & set(sources)
            narrowed = replace(narrowed, sources=tuple(sorted(asked)))
        if user is not None:
            narrowed = replace(narrowed, users=(user,) if self.users is None or user in self.users else ())
        return narrowed

    def _listed(self) -> list[tuple[str, tuple[Any, ...]]]:
        names = ("sources", "actions", "statuses", "users")
        return [(name, getattr(self, name)) for name in names if getattr(self, name) is not None]

    def _texts(self) -> list[tuple[str, str]]:
        names = ("action_prefix", "entity_type", "entity_id", "text")
        texts = [(name, getattr(self, name)) for name in names if getattr(self, name) is not None]
        texts += [(name, value) for name, values in self._listed() if name != "users" for value in values]
        # As JSON writes it, a NUL is six characters.
        return [*texts, ("metadata", needle_text(self.metadata or {}).replace("\\u0000", "\0"))]


def parse_ago(text: str) -> timedelta | None:
    """Read `7d`, `12h` or `30m`; None where it is none of these."""
    found = AGO.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] if found else None


def needle_text(needle: Needle) -> str:
    """Return metadata to look for as JSON that Postgres takes.

    Raises:
        QuestionError: It has a number or a text that JSON has not.
    """
    try:
        text = json.dumps(needle, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
        text.encode()
    except (ValueError, RecursionError) as error:
        raise QuestionError("metadata to look for is no JSON", field="metadata") from error
    return text


def contains(whole: Any, part: Any, *, top: bool = True) -> bool:
    """Whether one JSON value contains another, as `@>` of Postgres understands it.

    Objects contain those whose members they contain; arrays those whose elements they contain, in any
    order and number; at the top an array contains a scalar element, too. Numbers are equal by value.

    Args:
        whole: Read with exact numbers.
        part: The same.
        top: Whether this is the document itself.
    """
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(
            name in whole and contains(whole[name], value, top=False) for name, value in part.items()
        )
    if isinstance(part, list):
        return isinstance(whole, list) and all(
            any(contains(mine, value, top=False) for mine in whole) for value in part
        )
    if isinstance(whole, list):
        return top and any(contains(mine, part, top=False) for mine in whole)
    return isinstance(whole, bool) == isinstance(part, bool) and bool(whole == part)
