"""AWS CloudTrail records as events.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec

from activity_pipeline.errors import ImportFileError
from activity_pipeline.producer.encoding import EventLine, encode_line

NAMESPACE = uuid5(NAMESPACE_DNS, "cloudtrail.amazonaws.com")
"""Namespace of the UUIDs made here: `user:<ARN or principal>` and, for ids that are none, `event:<id>`."""

MAX_PART_BYTES = 24 * 1024
"""Request and response are kept up to this size each, so that both fit into the metadata."""

_RAW_NULL = msgspec.Raw(b"null")


class _Identity(msgspec.Struct, rename="camel"):
    type: str | None = None
    principal_id: str | None = None
    arn: str | None = None
    account_id: str | None = None
    user_name: str | None = None
    invoked_by: str | None = None

    @property
    def name(self) -> str | None:
        return self.arn or self.principal_id or self.user_name or self.invoked_by or self.account_id


class _Resource(msgspec.Struct):
    type: str | None = None
    arn: str | None = msgspec.field(name="ARN", default=None)


class _Record(msgspec.Struct, rename="camel"):
    event_time: str
    event_source: str
    event_name: str
    event_id: str = msgspec.field(name="eventID")
    user_identity: _Identity | None = None
    aws_region: str | None = None
    source_ip: str | None = msgspec.field(name="sourceIPAddress", default=None)
    user_agent: str | None = None
    error_code: str | None = None
    error_message: str | None = None
    read_only: bool | str | None = None
    recipient_account_id: str | None = None
    resources: list[_Resource] | None = None
    request_parameters: msgspec.Raw = _RAW_NULL
    response_elements: msgspec.Raw = _RAW_NULL


class _Document(msgspec.Struct):
    records: list[msgspec.Raw] = msgspec.field(name="Records")


_record = msgspec.json.Decoder(_Record)
_document = msgspec.json.Decoder(_Document)


def split_document(document: bytes) -> list[bytes]:
    """Return the records of a log file `{"Records": [...]}`, each one line of JSON.

    Raises:
        ImportFileError: It is not such a document.
    """
    try:
        # Records become lines, so a document laid out over several lines is folded first.
        folded = msgspec.json.format(document, indent=-1) if b"\n" in document else document
        return [bytes(record) for record in _document.decode(folded).records]
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ImportFileError(f"not a CloudTrail log file: {error}") from error


def to_event(record: bytes) -> bytes:
    """Return a CloudTrail record as one event line.

    Raises:
        ValueError: It is not a CloudTrail record.
    """
    sent = _record.decode(record)
    identity = sent.user_identity or _Identity()
    resource = sent.resources[0] if sent.resources else _Resource()
    account = sent.recipient_account_id or identity.account_id
    metadata: dict[str, Any] = {
        "region": sent.aws_region,
        "ip": sent.source_ip,
        "user_agent": sent.user_agent,
        "identity": identity.type,
        "principal": identity.name,
        "error": sent.error_code,
        "error_message": sent.error_message,
        "read_only": sent.read_only,
        **_part("request", sent.request_parameters),
        **_part("response", sent.response_elements),
    }
    return encode_line(
        EventLine(
            id=_event_id(sent.event_id),
            timestamp=sent.event_time,
            source=sent.event_source.removesuffix(".amazonaws.com"),
            action=sent.event_name,
            entity_type=(resource.type or "resource") if resource.arn else "account" if account else None,
            entity_id=resource.arn or account,
            user_id=_user_id(identity.name) if identity.name else None,
            status="failure" if sent.error_code else "success",
            metadata={name: value for name, value in metadata.items() if value is not None},
        )
    )


def _part(name: str, raw: msgspec.Raw) -> dict[str, Any]:
    size_bytes = len(bytes(raw))
    if bytes(raw) == b"null":
        return {}
    return {name: raw} if size_bytes <= MAX_PART_BYTES else {f"{name}_omitted_bytes": size_bytes}


def _event_id(text: str) -> str:
    try:
        return str(UUID(text))
    except ValueError:
        return str(uuid5(NAMESPACE, f"event:{text}"))


@lru_cache(maxsize=10_000)
def _user_id(name: str) -> str:
    return str(uuid5(NAMESPACE, f"user:{name}"))
