"""What is answered. Documents, for JSON."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal
from uuid import UUID

import msgspec

from activity_pipeline.hot.activities import Key, Row

COUNT_LIMIT = 10_000
"""What is counted exactly."""

Relation = Literal["eq", "gte"]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """An event; its metadata as it is stored, to the last digit, or `null`."""

    id: UUID
    timestamp: datetime
    source: str
    action: str
    entity_type: str | None
    entity_id: str | None
    user_id: UUID | None
    status: str
    metadata: msgspec.Raw

    @property
    def key(self) -> Key:
        """What it is sorted by."""
        return Key(self.timestamp, self.id)

    @property
    def metadata_text(self) -> str | None:
        """The metadata as JSON; None where it has none."""
        text = bytes(self.metadata).decode()
        return None if text == "null" else text


def event_of(row: Row) -> Event:
    """Return a row as an event."""
    event_id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata = row
    return Event(
        id=event_id,
        timestamp=timestamp,
        source=source,
        action=action,
        entity_type=entity_type,
        entity_id=entity_id,
        user_id=user_id,
        status=status,
        metadata=msgspec.Raw(b"null" if metadata is None else metadata.encode()),
    )


class QueueHealth(msgspec.Struct, frozen=True, kw_only=True):
    """What has not been stored yet, so that no answer has it.

    Attributes:
        waiting_events: Events in the queue.
        oldest_s: How long the oldest of them has waited, in seconds.
    """

    waiting_events: int
    oldest_s: float


class Completeness(msgspec.Struct, frozen=True, kw_only=True):
    """How complete an answer is.

    Attributes:
        first: The first day that was asked for and is known.
        last: The last one.
        days: How many known days lie between them.
        read_days: Days that had to be read for this answer.
        missing: Days whose archive could not be read: the answer lacks their archived events.
        stale: Days that have changed since the answer was made, where it comes out of the cache.
        queue: What waits in Redis; null where Redis does not answer.
        ledger_residual: Events that the ledger cannot account for; null where it was not read yet.
        ledger_at: When the ledger was read.
    """

    first: date | None
    last: date | None
    days: int
    read_days: int
    missing: list[date]
    stale: list[date]
    queue: QueueHealth | None = None
    ledger_residual: int | None = None
    ledger_at: datetime | None = None


Cached = Literal["hit", "miss", "none"]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """A page of events.

    Attributes:
        events: In the order that was asked for.
        next: The cursor of the page after it; null where there is none.
        previous: The cursor of the page before it; null where there is none.
        completeness: How complete it is.
        cache: Whether it comes out of the cache; `none` where there is no cache.
    """

    events: list[Event]
    next: str | None
    previous: str | None
    completeness: Completeness
    cache: Cached = "none"


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """How many events there are.

    Attributes:
        value: The number.
        relation: `eq` where it is exact, `gte` where there are at least so many.
        completeness: How complete it is.
        cache: As in Page.
    """

    value: int
    relation: Relation
    completeness: Completeness
    cache: Cached = "none"


class FacetValue(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a field and the events that have it."""

    value: str
    count: int


class Facets(msgspec.Struct, frozen=True, kw_only=True):
    """The most frequent values of fields.

    Attributes:
        facets: By field, the most frequent first.
        value: The events that were counted, the newest ones.
        relation: `eq` where those are all, `gte` where there are more.
        completeness: How complete it is.
        cache: As in Page.
    """

    facets: dict[str, list[FacetValue]]
    value: int
    relation: Relation
    completeness: Completeness
    cache: Cached = "none"


class Around(msgspec.Struct, frozen=True, kw_only=True):
    """Events around another one.

    Attributes:
        before: The nearest ones before it, in order of time.
        after: The nearest ones after it, in order of time.
    """

    before: list[Event]
    after: list[Event]


class Neighbours(msgspec.Struct, frozen=True, kw_only=True):
    """An event and those near it.

    Attributes:
        event: The event.
        entity: Those of the same entity; null where it has none.
        user: Those of the same user; null where it has none.
        completeness: How complete it is.
    """

    event: Event
    entity: Around | None
    user: Around | None
    completeness: Completeness
