"""What the API takes and answers, for its OpenAPI document."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from activity_pipeline.events.model import MAX_CHARACTERS, DeadLetterReason

EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "title": "Event",
    "required": ["source", "action"],
    "additionalProperties": False,
    "properties": {
        "id": {
            "type": "string",
            "format": "uuid",
            "description": "The same id with the same timestamp is the same event; one is made where absent",
        },
        "timestamp": {
            "type": "string",
            "format": "date-time",
            "description": "When it happened, with an offset; absent: that in a UUIDv7, else now. "
            "Needed beside an id that is no UUIDv7",
        },
        **{
            name: {"type": "string", "maxLength": most, "minLength": least}
            for name, most in MAX_CHARACTERS.items()
            for least in [int(name in {"source", "action", "status"})]
        },
        "user_id": {"type": "string", "format": "uuid"},
        "metadata": {"type": "object"},
    },
}
"""An event as a request brings it; the verdict is the drain's, whatever this says."""


class Verdict(BaseModel):
    """What became of one event."""

    line: int = Field(description="Its place in the request, from 0", ge=0)
    verdict: Literal["accepted", "rejected"]
    id: UUID | None = Field(default=None, description="Of an accepted event: its id, made where it had none")
    timestamp: datetime | None = Field(
        default=None, description="Of an accepted event: the instant it is stored under"
    )
    reason: DeadLetterReason | None = Field(default=None, description="Why it was rejected")
    detail: str | None = Field(default=None, description="The same in words")


class Receipt(BaseModel):
    """What became of a request's events: the accepted ones are in Redis, or on this machine's disk."""

    accepted: int = Field(ge=0)
    rejected: int = Field(ge=0)
    verdicts: list[Verdict]


class Parameters(BaseModel):
    """Parameters of a query; unknown ones are refused."""

    model_config = ConfigDict(extra="forbid")


Text = Annotated[str, StringConstraints(max_length=128, pattern=r"^[^\x00]*$")]
"""A text to look for: no longer than a field, without NUL."""


class DayRange(Parameters):
    """A range of UTC days, both ends included."""

    first: date | None = Field(default=None, description="The first UTC day")
    last: date | None = Field(default=None, description="The last UTC day")


class LedgerModel(BaseModel):
    """The ledger; see activity_pipeline/hot/ledger.py. All in events but for the days."""

    issued: int
    redelivered: int
    received: int
    dropped: int
    missing: int
    inserted: int
    duplicate: int
    dead_lettered: int
    dead_letters_kept: int
    received_by_day: int
    inserted_by_day: int
    duplicate_by_day: int
    dead_lettered_by_day: int
    hot: int
    late: int
    archived: int
    erased: int
    hot_days: int
    archived_days: int
    differences: dict[str, int] = Field(description="Of each equation, left side less right side")
    residual: int = Field(description="0 is proof that every event is accounted for")


class ProducerModel(BaseModel):
    """The ledger of one producer."""

    producer_id: str
    issued: int
    redelivered: int
    received: int
    dropped: int
    missing: int
    inserted: int
    duplicate: int
    dead_lettered: int
    missing_ranges: str
    drop_reasons: dict[str, int]
    first_seen: datetime
    last_seen: datetime


class DayLedgerModel(BaseModel):
    """The ledger of one day."""

    day: date
    state: str
    arrived: int
    received: int
    inserted: int
    duplicate: int
    dead_lettered: int
    hot: int
    late: int
    archived: int
    erased: int
    difference: int


class DayModel(BaseModel):
    """A day and where it lives."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    state: str
    revision: int
    generation: int
    archived_rows: int
    archived_bytes: int
    manifest: str | None
    restored_until: datetime | None


class DaysModel(BaseModel):
    """Days, newest first."""

    days: list[DayModel]
    total: int = Field(description="Days in the range, also where fewer are listed")


class StreamModel(BaseModel):
    """What waits in one stream."""

    shard: int
    entries: int
    waiting_entries: int
    waiting_events: int
    oldest_s: float
    is_rewound: bool


class QueueModel(BaseModel):
    """The queue."""

    is_trusted: bool = Field(description="Whether the drain reads it: no eviction, no tail lost")
    version: str
    used_bytes: int
    limit_bytes: int
    append_only: bool
    concerns: list[str]
    legacy_events: int
    streams: list[StreamModel]


class StatusModel(BaseModel):
    """How things are; a part that cannot be told is null."""

    version: str
    queue: QueueModel | None
    days: dict[str, int] | None = Field(description="Days by state")
    residual: int | None = Field(description="Of the ledger")
    stale_metrics_days: int | None = Field(description="Days that changed since their metrics")
    is_followed: bool | None = Field(description="Whether `drain --follow` is at work")


class MetricModel(BaseModel):
    """Events of one day, source, action and status."""

    date: date
    source: str
    action: str
    status: str
    count: int
    users: int
    entities: int
    first_at: datetime
    last_at: datetime


class AnomalyModel(BaseModel):
    """A day, or an hour of one, on which a series or a user was far from its own history."""

    date: date
    hour: int | None
    kind: str
    source: str
    action: str
    user_id: str
    observed: float
    expected: float
    lower: float
    upper: float
    p_value: float
    severity: str
    sentence: str
    acknowledged_by: str | None = Field(description="Who has looked at it")
    acknowledged_at: datetime | None
    note: str | None = Field(description="What they found")
    muted_until: datetime | None = Field(description="Until when nobody is told of it")


class MetricsModel(BaseModel):
    """Daily metrics, by day, source, action and status."""

    rows: list[MetricModel]
    total: int = Field(description="Rows that fit, also where fewer are listed")


class AnomaliesModel(BaseModel):
    """Daily anomalies, by day, kind, source and action."""

    rows: list[AnomalyModel]
    total: int = Field(description="Rows that fit, also where fewer are listed")


class Readiness(BaseModel):
    """Whether requests can be served."""

    postgres: bool
    redis: bool
    # Not `schema`, which is a name of pydantic's own.
    migrated: bool
