"""Events that come in over HTTP: read, judged, completed, and kept before the answer is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import msgspec

from activity_pipeline.api import figures
from activity_pipeline.api.backends import Backends
from activity_pipeline.api.callers import Caller
from activity_pipeline.api.judging import Judged, refused
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.schemas import Receipt, Verdict
from activity_pipeline.errors import DeliveryTimeoutError, EventError
from activity_pipeline.events.frame import lines_of
from activity_pipeline.events.ids import new_id
from activity_pipeline.events.model import DeadLetterReason

JSON = "application/json"
NDJSON = ("application/x-ndjson", "application/ndjson", "application/jsonl")
MOST_EVENTS = 10_000
"""Events of one request."""

KEEP_TIMEOUT_S = 10.0
"""Longest that a request waits for Redis, and where that is away for the spool."""


def split(body: bytes, media_type: str) -> list[bytes]:
    """Return the events of a body as lines, unread.

    Raises:
        RequestError: The body is of another type, not JSON, empty or holds too many.
    """
    if media_type in NDJSON:
        lines = lines_of(body)
    elif media_type == JSON:
        lines = _split_json(body)
    else:
        raise refusal("media-type-not-supported", f"Events come as {JSON} or {NDJSON[0]}, in UTF-8.")
    if not lines:
        raise refusal("malformed-request", "There is no event in the body.")
    if len(lines) > MOST_EVENTS:
        raise refusal("too-large", f"A request has {MOST_EVENTS:,} events at the most.")
    return lines


def _split_json(body: bytes) -> list[bytes]:
    try:
        if body.lstrip(b" \t\r\n").startswith(b"["):
            return [_one_line(bytes(raw)) for raw in msgspec.json.decode(body, type=list[msgspec.Raw])]
        msgspec.json.decode(body, type=msgspec.Raw)
        return [_one_line(body.strip(b" \t\r\n"))] if body.strip() else []
    except (msgspec.DecodeError, RecursionError):
        raise refusal("malformed-request", "The body is not JSON.") from None


def _one_line(text: bytes) -> bytes:
    return msgspec.json.format(text, indent=-1) if b"\n" in text or b"\r" in text else text


async def take(backends: Backends, caller: Caller, lines: Sequence[bytes]) -> Receipt:
    """Judge events and have the good ones kept.

    Raises:
        RequestError: None was good, or neither Redis nor the spool took them in time; the verdicts are
            among its members.
    """
    judged = [_within(caller, each) for each in await backends.judging.judge(lines)]
    kept: list[bytes] = []
    verdicts: list[Verdict] = []
    for number, each in enumerate(judged):
        if each.reason is None:
            event_id = each.id or UUID(new_id())
            kept.append(_complete(each, event_id, caller))
            verdicts.append(Verdict(line=number, verdict="accepted", id=event_id, timestamp=each.timestamp))
        else:
            verdicts.append(Verdict(line=number, verdict="rejected", reason=each.reason, detail=each.detail))
    receipt = Receipt(accepted=len(kept), rejected=len(lines) - len(kept), verdicts=verdicts)
    figures.EVENTS.labels("rejected").inc(receipt.rejected)
    if not kept:
        raise refusal("nothing-accepted", "No event of the request is one.", **_members(receipt))
    try:
        await backends.forwarder.forward(kept, KEEP_TIMEOUT_S)
    except (DeliveryTimeoutError, EventError):
        detail = "The queue does not take events now. Send them again with the ids and timestamps given here."
        members = _members(receipt) | {"accepted": 0}
        raise refusal("unavailable", detail, {"retry-after": "5"}, **members) from None
    figures.EVENTS.labels("accepted").inc(receipt.accepted)
    return receipt


def _within(caller: Caller, each: Judged) -> Judged:
    """Refuse what the key is not for."""
    if each.reason is not None:
        return each
    if caller.sources is not None and each.source not in caller.sources:
        return refused(each.line, DeadLetterReason.NOT_ALLOWED, "the key is not for this source")
    if caller.user_id is not None and each.user_id not in {None, caller.user_id}:
        return refused(each.line, DeadLetterReason.NOT_ALLOWED, "the key is not for this user")
    return each


def _complete(each: Judged, event_id: UUID, caller: Caller) -> bytes:
    """Return the line with id and timestamp, and with the key's user where it is one user's.

    Every other byte of its values stays as it was sent.
    """
    lacks_user = caller.user_id is not None and each.user_id is None
    if each.is_complete and not lacks_user:
        return each.line
    fields = msgspec.json.decode(each.line, type=dict[str, msgspec.Raw])
    given: dict[str, object] = {"id": event_id, "timestamp": each.timestamp}
    if lacks_user:
        fields.pop("userId", None)
        given["user_id"] = caller.user_id
    return msgspec.json.encode({**fields, **given})


def _members(receipt: Receipt) -> dict[str, Any]:
    return receipt.model_dump(mode="json", exclude_none=True)
