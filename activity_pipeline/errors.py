"""Every error that activity_pipeline raises on purpose.

    ActivityError                 the base: catch this to catch them all
    +-- SettingsError             a setting is unknown, missing or of the wrong type
    +-- EventError                an event breaks a rule of the event model
    +-- FrameError                a queue entry is not a frame: bad compression, too large, not UTF-8
    +-- QueueError                Redis cannot be trusted with the queue
    |   +-- QueueRewoundError     the stream's last id lies below the stored offset
    |   +-- QueueEvictsError      Redis may evict the queue under memory pressure
    |   +-- QueueTimeoutError     Redis did not answer in time
    +-- DeliveryTimeoutError      an event that is waited for is still on its way
    +-- StoreError                Postgres is not as the code expects it
    |   +-- MigrationError        a migration is missing, changed after it ran, or failed
    |   +-- StoreBusyError        another session holds a table for too long: nothing was changed
    +-- ArchiveError              the Parquet archive
    |   +-- ManifestError         a manifest is missing, malformed or breaks the chain
    |   +-- GateError             a day's hot content differs from its Parquet: nothing was dropped
    |   +-- BadDaysError          several days failed, each with its own error; the others went on
    |   +-- HoldError             a legal hold forbids an erasure
    +-- LocalStackError           an embedded server cannot be found or does not start
    +-- AlertError                no channel took an alert
    +-- LegacyError               the way off an application's triggers is not as it should be
    |   +-- ParityError           events do not tell what the triggers tell: nothing was changed
    +-- ImportFileError           an input file cannot be read as any known format
    +-- QuestionError             a question about events is one that cannot be answered
    |   +-- CursorError           a cursor is none, or belongs to another question
    +-- CancelledError            whoever asked has gone
    +-- BusyError                 too many ask at once, or what is asked takes too long
    +-- RequestError              the HTTP API refuses a request, or cannot serve it now

The docstring of a class is its default message. Errors carry what they are about as
attributes, so that a caller never parses a message.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any


class ActivityError(Exception):
    """Something went wrong in activity_pipeline."""

    def __init__(self, message: str | None = None, **fields: Any) -> None:
        """Take a message (default: the class docstring) and any fields, kept as attributes."""
        super().__init__(message or (type(self).__doc__ or "").strip())
        for name, value in fields.items():
            setattr(self, name, value)


class SettingsError(ActivityError):
    """A setting is unknown, missing or of the wrong type."""


class EventError(ActivityError):
    """An event breaks a rule of the event model."""

    reason: str


class FrameError(ActivityError):
    """A queue entry is not a frame."""

    reason: str
    producer: str
    sequence: int
    count: int
    drops: dict[str, int]


class QueueError(ActivityError):
    """Redis cannot be trusted with the queue."""


class QueueRewoundError(QueueError):
    """The stream's last id lies below the stored offset: Redis lost entries or was restored."""


class QueueEvictsError(QueueError):
    """Redis may evict the queue: set maxmemory-policy to noeviction."""


class QueueTimeoutError(QueueError):
    """Redis did not answer in time."""


class DeliveryTimeoutError(ActivityError):
    """Redis has not accepted the event in time. It is not lost: it stays on its way, or in the spool."""

    event_id: str
    accepted: Callable[[], bool]


class StoreError(ActivityError):
    """Postgres is not as the code expects it."""


class MigrationError(StoreError):
    """A migration is missing, was changed after it ran, or failed."""


class StoreBusyError(StoreError):
    """Another session holds a table for too long: nothing was changed."""


class ArchiveError(ActivityError):
    """The Parquet archive is not as the code expects it."""


class ManifestError(ArchiveError):
    """A manifest is missing, malformed or breaks the chain."""


class GateError(ArchiveError):
    """A day's content in Postgres differs from its Parquet: nothing was dropped."""


class BadDaysError(ArchiveError):
    """Several days failed; the others went on."""

    errors: Mapping[date, ArchiveError]


class HoldError(ArchiveError):
    """A legal hold forbids it."""

    hold: int
    reason: str


class LocalStackError(ActivityError):
    """An embedded server cannot be found or does not start."""


class AlertError(ActivityError):
    """No channel took the alert."""


class LegacyError(ActivityError):
    """The way off an application's triggers is not as it should be."""


class ParityError(LegacyError):
    """Events do not tell what the triggers tell: nothing was changed."""

    faults: Mapping[str, str]


class ImportFileError(ActivityError):
    """The input file cannot be read as any known format."""


class QuestionError(ActivityError):
    """The question is one that cannot be answered."""

    field: str


class CursorError(QuestionError):
    """The cursor is none of ours, or belongs to another question."""


class CancelledError(ActivityError):
    """Whoever asked has gone."""


class BusyError(ActivityError):
    """Too many ask about archived days at once; try again in a moment."""


class RequestError(ActivityError):
    """The HTTP API refuses a request, or cannot serve it now."""

    problem: str
    headers: Mapping[str, str]
    members: Mapping[str, Any]
