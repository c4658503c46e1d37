"""From the arguments of `log` to one NDJSON line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from activity_pipeline.errors import EventError
from activity_pipeline.events.model import DEFAULT_STATUS
from activity_pipeline.producer.context import bound
from activity_pipeline.producer.stats import DropReason


class EventLine(msgspec.Struct, omit_defaults=True, gc=False):
    """An event as it is written: the fields in their order, absent ones left out."""

    id: str
    timestamp: datetime | str
    source: str
    action: str
    entity_type: str | None = None
    entity_id: str | None = None
    user_id: UUID | str | None = None
    # UNSET and not the default status: what the application said is always written.
    status: str | msgspec.UnsetType = msgspec.UNSET
    metadata: dict[str, Any] | None = None


encode_line = msgspec.json.Encoder().encode
"""From an EventLine to its bytes."""


def encode_event(
    *,
    event_id: str,
    source: object,
    timestamp: object,
    action: object,
    entity_type: object,
    entity_id: object,
    user_id: object,
    status: object,
    metadata: object,
) -> bytes:
    """Return the event as one line of JSON without a line ending; absent fields are left out.

    What is None is taken from `bind`. The arguments come from an application that no type checker
    may have read, hence `object`.

    Raises:
        EventError: With `reason`: a field is of the wrong type, or JSON cannot hold the metadata.
    """
    around = bound.get()
    if around is not None:
        fields, extra = around
        entity_type = fields.get("entity_type") if entity_type is None else entity_type
        entity_id = fields.get("entity_id") if entity_id is None else entity_id
        user_id = fields.get("user_id") if user_id is None else user_id
        status = fields.get("status") if status is None else status
        if extra and (metadata is None or isinstance(metadata, dict)):
            metadata = {**extra, **(metadata or {})}
    if status is None:
        status = DEFAULT_STATUS
    if not (
        isinstance(source, str)
        and isinstance(action, str)
        and isinstance(status, str)
        and (metadata is None or isinstance(metadata, dict))
        and (entity_type is None or isinstance(entity_type, str))
        and (user_id is None or isinstance(user_id, (str, UUID)))
        and (timestamp is None or isinstance(timestamp, (datetime, str)))
    ):
        raise EventError("a field of the event is of the wrong type", reason=DropReason.WRONG_TYPE.value)
    try:
        if timestamp is None:
            timestamp = datetime.now(UTC)
        if entity_id is not None and not isinstance(entity_id, str):
            entity_id = str(entity_id)
        return encode_line(
            EventLine(event_id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
        )
    except Exception as error:
        # Anything can be in metadata, so anything can go wrong.
        raise EventError(f"the event is not JSON: {error}", reason=DropReason.NOT_ENCODABLE.value) from error
