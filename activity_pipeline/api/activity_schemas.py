"""What questions about activities are answered with, for the OpenAPI document; see query/answers.py."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field


class ActivityModel(BaseModel):
    """An event."""

    id: UUID
    timestamp: datetime
    source: str
    action: str
    entity_type: str | None
    entity_id: str | None
    user_id: UUID | None
    status: str
    metadata: dict[str, Any] | None


class QueueModel(BaseModel):
    """What is not stored yet."""

    waiting_events: int
    oldest_s: float = Field(description="How long the oldest of them has waited, in seconds")


class CompletenessModel(BaseModel):
    """How complete an answer is."""

    first: date | None = Field(description="The first day that was asked for and is known")
    last: date | None = Field(description="The last one")
    days: int = Field(description="How many known days lie between them")
    read_days: int = Field(description="Days that had to be read for this answer")
    missing: list[date] = Field(description="Days whose archive could not be read: the answer lacks it")
    stale: list[date] = Field(description="Days that have changed since the answer was made")
    queue: QueueModel | None = Field(description="What waits in Redis; null where that is not known")
    ledger_residual: int | None = Field(description="Events that the ledger cannot account for")
    ledger_at: datetime | None = Field(description="When the ledger was read")


Cached = Literal["hit", "miss", "none"]


class PageModel(BaseModel):
    """A page of events."""

    events: list[ActivityModel]
    next: str | None = Field(description="Cursor of the page after it")
    previous: str | None = Field(description="Cursor of the page before it")
    completeness: CompletenessModel
    cache: Cached


class CountModel(BaseModel):
    """How many events there are."""

    value: int
    relation: Literal["eq", "gte"]
    completeness: CompletenessModel
    cache: Cached


class FacetValueModel(BaseModel):
    """A value of a field and the events that have it."""

    value: str
    count: int


class FacetsModel(BaseModel):
    """The most frequent values of fields."""

    facets: dict[str, list[FacetValueModel]]
    value: int = Field(description="The events that were counted, the newest ones")
    relation: Literal["eq", "gte"]
    completeness: CompletenessModel
    cache: Cached


class AroundModel(BaseModel):
    """Events around another one, in order of time."""

    before: list[ActivityModel]
    after: list[ActivityModel]


class NeighboursModel(BaseModel):
    """An event and those near it."""

    event: ActivityModel
    entity: AroundModel | None
    user: AroundModel | None
    completeness: CompletenessModel
