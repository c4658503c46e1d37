"""From the arguments of `log` to one NDJSON line."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from activity_pipeline.errors import EventError
from activity_pipeline.events.model import DEFAULT_STATUS
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

_now = datetime.now


def encode_event(
    event_id: str,
    timestamp: object,
    source: object,
    action: object,
    entity_type: object,
    entity_id: object,
    user_id: object,
    status: object,
    metadata: object,
) -> bytes:
    """Return the event as one line of JSON without a line ending; absent fields are left out.

    The arguments come from an application that no type checker may have read, hence `object`.

    Raises:
        EventError: With `reason`: a field is of the wrong type, or JSON cannot hold the metadata.
    """
    if timestamp is None:
        timestamp = _now(UTC)
    if status is None:
        status = DEFAULT_STATUS
    if not (
        isinstance(source, str)
        and isinstance(action, str)
        and isinstance(status, str)
        and isinstance(timestamp, (datetime, str))
        and (metadata is None or isinstance(metadata, dict))
        and (entity_type is None or isinstance(entity_type, str))
        and (user_id is None or isinstance(user_id, (str, UUID)))
    ):
        raise EventError("a field of the event is of the wrong type", reason=DropReason.WRONG_TYPE.value)
    try:
        if entity_id is not None and not isinstance(entity_id, str):
            entity_id = str(entity_id)
        return encode_line(
            EventLine(event_id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata)
        )
    except Exception as error:
        # Anything can be in metadata, so anything can go wrong.
        raise EventError(f"the event is not JSON: {error}", reason=DropReason.NOT_ENCODABLE.value) from error
