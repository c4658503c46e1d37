"""The event: fields, limits, and the closed set of reasons why one is refused."""

from __future__ import annotations

from enum import StrEnum

import msgspec

FIELDS = (
    "id",
    "timestamp",
    "source",
    "action",
    "entity_type",
    "entity_id",
    "user_id",
    "status",
    "metadata",
)
"""The nine fields of an event, in the order in which every table and file keeps them."""

ALIASES = {"entityType": "entity_type", "entityId": "entity_id", "userId": "user_id", "details": "metadata"}
"""Names that the old TypeScript producers use, and the field that each one means."""

MAX_CHARACTERS = {"source": 64, "action": 128, "entity_type": 64, "entity_id": 512, "status": 32}
"""Longest text of each field, in characters. The shortest is 1 for source, action and status, else 0."""

MAX_FRAME_BYTES = 64 * 1024 * 1024
"""Most bytes of events in one wire frame. Larger is refused before it is inflated."""

DEFAULT_STATUS = "success"
FAILURE_STATUSES = frozenset({"failure", "failed", "error", "denied", "timeout", "rejected"})
"""Statuses that count as failed, compared without case.

Failures are named rather than successes: real systems bring statuses that mean neither (`start`,
`schedule`, `reverted`, `pending`), and an unknown one should not page anybody.
"""
DEFAULT_METADATA_BYTES = 64 * 1024
DEFAULT_MAX_AHEAD_HOURS = 24


class DeadLetterReason(StrEnum):
    """Why an event was refused. Closed: adding one is a change of the contract."""

    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    NOT_AN_OBJECT = "not_an_object"
    UNKNOWN_FIELD = "unknown_field"
    REPEATED_FIELD = "repeated_field"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    BAD_ID = "bad_id"
    BAD_TIMESTAMP = "bad_timestamp"
    TIMESTAMP_AHEAD = "timestamp_ahead"
    TIMESTAMP_TOO_OLD = "timestamp_too_old"
    BAD_USER_ID = "bad_user_id"
    TEXT_LENGTH = "text_length"
    NUL_CHARACTER = "nul_character"
    NOT_ALLOWED = "not_allowed"
    METADATA_TOO_LARGE = "metadata_too_large"
    METADATA_REFUSED = "metadata_refused"
    FRAME_UNREADABLE = "frame_unreadable"
    FRAME_TOO_LARGE = "frame_too_large"


REASON_TEXT: dict[DeadLetterReason, str] = {
    DeadLetterReason.NOT_UTF8: "the bytes are not UTF-8",
    DeadLetterReason.NOT_JSON: "the line is not JSON",
    DeadLetterReason.NOT_AN_OBJECT: "the line is JSON but not an object",
    DeadLetterReason.UNKNOWN_FIELD: "a field that no event has",
    DeadLetterReason.REPEATED_FIELD: "a field twice, or under both of its names",
    DeadLetterReason.MISSING_FIELD: "source or action is absent",
    DeadLetterReason.WRONG_TYPE: "a field is of the wrong JSON type",
    DeadLetterReason.BAD_ID: "id is not a UUID",
    DeadLetterReason.BAD_TIMESTAMP: "timestamp is not ISO 8601 with an offset",
    DeadLetterReason.TIMESTAMP_AHEAD: "timestamp lies too far ahead",
    DeadLetterReason.TIMESTAMP_TOO_OLD: "timestamp lies before the first day (setting ACTIVITY_FIRST_DAY)",
    DeadLetterReason.BAD_USER_ID: "user_id is not a UUID",
    DeadLetterReason.TEXT_LENGTH: "a text is empty or too long",
    DeadLetterReason.NUL_CHARACTER: "a text or the metadata holds a NUL",
    DeadLetterReason.NOT_ALLOWED: "source or status is not on the allow-list",
    DeadLetterReason.METADATA_TOO_LARGE: "metadata is larger than the limit",
    DeadLetterReason.METADATA_REFUSED: "Postgres cannot keep the metadata as jsonb",
    DeadLetterReason.FRAME_UNREADABLE: "the queue entry is not a frame",
    DeadLetterReason.FRAME_TOO_LARGE: "the frame inflates beyond the limit",
}


def explain(reason: str) -> str:
    """Explain one of the reasons; anything else explains itself."""
    return REASON_TEXT[DeadLetterReason(reason)] if reason in list(DeadLetterReason) else reason


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """The settings that a verdict depends on.

    Attributes:
        max_metadata_bytes: Largest metadata, in bytes of its JSON text.
        max_ahead_hours: How far ahead of now a timestamp may lie, in hours.
        first_day: Earliest day that an event may lie on, ISO 8601.
        allowed_sources: The only sources taken; empty takes any.
        allowed_statuses: The only statuses taken; empty takes any.
    """

    max_metadata_bytes: int = DEFAULT_METADATA_BYTES
    max_ahead_hours: float = DEFAULT_MAX_AHEAD_HOURS
    first_day: str = "2000-01-01"
    allowed_sources: tuple[str, ...] = ()
    allowed_statuses: tuple[str, ...] = ()
