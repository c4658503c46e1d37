"""Where a page ends, as text that nobody needs to read."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Literal
from uuid import UUID

import msgspec

from activity_pipeline.errors import CursorError
from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot.activities import INSTANT, Key

VERSION = 1
MOST_CHARACTERS = 512
Direction = Literal["next", "previous"]
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Cursor(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """A place between two events, in the order of a question.

    Attributes:
        version: VERSION.
        direction: Whether the page lies after the key or before it.
        at_us: The key's timestamp, in microseconds since 1970.
        id: The key's id.
        since_us: The first instant that the question is about, fixed by its first page.
        until_us: The first instant that is too late.
        question: Hash of the filters and the order.
    """

    version: int
    direction: Direction
    at_us: int
    id: UUID
    since_us: int
    until_us: int
    question: str

    @property
    def key(self) -> Key:
        """The event beside the place."""
        return Key(instant(self.at_us), self.id)

    def encode(self) -> str:
        """Return the text."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()


def decode(text: str, question: str) -> Cursor:
    """Read a cursor of a question.

    Raises:
        CursorError: It is none, or belongs to another question.
    """
    try:
        if len(text) > MOST_CHARACTERS:
            raise ValueError
        raw = base64.b64decode(text.encode() + b"=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=Cursor)
        for microseconds in (cursor.at_us, cursor.since_us, cursor.until_us):
            instant(microseconds)
    except (ValueError, OverflowError) as error:
        raise CursorError("the cursor is none of ours", field="cursor") from error
    if cursor.version != VERSION:
        raise CursorError("the cursor is of another release: begin with the first page", field="cursor")
    if cursor.question != question:
        raise CursorError(
            "the cursor belongs to other filters or another order: begin with the first page", field="cursor"
        )
    return cursor


def question_of(filters: Filters, order: Order) -> str:
    """Return the hash of a question: filters as they were given, and the order."""
    raw = msgspec.json.encode([asdict(filters), order], order="sorted")
    return hashlib.sha256(raw).hexdigest()[:16]


def microseconds(at: datetime) -> int:
    """Return an instant in microseconds since 1970."""
    return (at - _EPOCH) // INSTANT


def instant(microseconds: int) -> datetime:
    """Return the instant so many microseconds after 1970."""
    return _EPOCH + timedelta(microseconds=microseconds)
