"""GitHub events, as GH Archive keeps them, as our events.

https://www.gharchive.org and https://docs.github.com/rest/using-the-rest-api/github-event-types
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_DNS, uuid5

import msgspec

from activity_pipeline.producer.encoding import EventLine, encode_line

NAMESPACE = uuid5(NAMESPACE_DNS, "github.com")
"""Namespace of the UUIDs made here: `event:<id>` and `user:<login>`."""

MAX_ENCODED_BYTES = 60 * 1024
"""Larger metadata keeps only the small scalars of its payload and says `payload_truncated`."""

_MAX_SCALAR_BYTES = 256


class _Named(msgspec.Struct):
    name: str


class _Actor(msgspec.Struct):
    login: str


class _Payload(msgspec.Struct):
    action: str | None = None


class _GitHubEvent(msgspec.Struct):
    id: str | int
    type: str
    created_at: str
    actor: msgspec.Raw
    repo: msgspec.Raw
    payload: msgspec.Raw
    org: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


_event = msgspec.json.Decoder(_GitHubEvent)
_actor = msgspec.json.Decoder(_Actor)
_repo = msgspec.json.Decoder(_Named)
_payload = msgspec.json.Decoder(_Payload)
_members = msgspec.json.Decoder(dict[str, msgspec.Raw])


def to_event(record: bytes) -> bytes:
    """Return a GitHub event as one event line.

    Raises:
        ValueError: It is not a GitHub event.
    """
    sent = _event.decode(record)
    action = _payload.decode(sent.payload).action
    return encode_line(
        EventLine(
            id=str(uuid5(NAMESPACE, f"event:{sent.id}")),
            timestamp=sent.created_at,
            source="github",
            action=f"{sent.type}.{action}" if action else sent.type,
            entity_type="repo",
            entity_id=_repo.decode(sent.repo).name,
            user_id=_user_id(_actor.decode(sent.actor).login),
            status="success",
            metadata=_metadata(sent),
        )
    )


def _metadata(sent: _GitHubEvent) -> dict[str, Any]:
    parts = {"actor": sent.actor, "repo": sent.repo, "org": sent.org, "payload": sent.payload}
    metadata: dict[str, Any] = {name: raw for name, raw in parts.items() if raw is not msgspec.UNSET}
    if sum(len(bytes(raw)) for raw in metadata.values()) > MAX_ENCODED_BYTES:
        metadata["payload"] = {
            name: raw
            for name, raw in _members.decode(sent.payload).items()
            if bytes(raw)[:1] not in b"{[" and len(bytes(raw)) <= _MAX_SCALAR_BYTES
        }
        metadata["payload_truncated"] = True
    return metadata


@lru_cache(maxsize=100_000)
def _user_id(login: str) -> str:
    return str(uuid5(NAMESPACE, f"user:{login}"))
