"""What is known around a call of `log`, such as who asks and in which request, bound once.

    with bind(user_id=user.id, request_id=request.id):
        activity.log("order.paid", entity_type="order", entity_id="8412")

Kept in a context variable: each thread and each asyncio task sees what itself, or the code that
started the task, has bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

FIELDS = frozenset({"user_id", "entity_type", "entity_id", "status"})
"""Names that fill the event's field of that name; every other one becomes a key of `metadata`."""

bound: ContextVar[tuple[dict[str, Any], dict[str, Any]] | None] = ContextVar("activity_bound", default=None)
"""The bound fields and the bound metadata, never changed in place; None where nothing is bound."""


@contextmanager
def bind(**fields: Any) -> Iterator[None]:
    """Add fields to every event that is logged inside the block; also a decorator.

    `user_id`, `entity_type`, `entity_id` and `status` fill the event's field of that name where
    the call of `log` does not give it. Every other name becomes a key of `metadata`, unless the
    metadata of the call has that key. Nested blocks add up, the inner one wins, and the end of
    a block restores what was bound before it.
    """
    outer_fields, outer_metadata = bound.get() or ({}, {})
    inner = (
        outer_fields | {name: value for name, value in fields.items() if name in FIELDS},
        outer_metadata | {name: value for name, value in fields.items() if name not in FIELDS},
    )
    token = bound.set(inner)
    try:
        yield
    finally:
        bound.reset(token)


def fill(
    entity_type: Any, entity_id: Any, user_id: Any, status: Any, metadata: Any
) -> tuple[Any, Any, Any, Any, Any]:
    """Return the arguments of a call of `log` with what is bound in place of what is None."""
    fields, extra = bound.get() or ({}, {})
    if extra and (metadata is None or isinstance(metadata, dict)):
        metadata = {**extra, **(metadata or {})}
    return (
        fields.get("entity_type") if entity_type is None else entity_type,
        fields.get("entity_id") if entity_id is None else entity_id,
        fields.get("user_id") if user_id is None else user_id,
        fields.get("status") if status is None else status,
        metadata,
    )
