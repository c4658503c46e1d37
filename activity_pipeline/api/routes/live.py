"""What comes in now, as server-sent events: whoever connects again goes on where he was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from activity_pipeline.api.callers import Reader, backends_of
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.searching import FiltersQuery, answered
from activity_pipeline.errors import RequestError
from activity_pipeline.events.filters import Filters
from activity_pipeline.query import Call
from activity_pipeline.query.answers import Event

router = APIRouter(prefix=ROOT, tags=["activities"])
POLL_S = 0.5
BEHIND = timedelta(seconds=60)
"""How much later than its own time an event may be stored and still be shown."""

AHEAD = timedelta(days=2)
MOST_BEHIND = timedelta(hours=1)
"""How far back whoever connects again is told of what he missed."""

LIFE_S = 300.0
"""How long a stream lasts: then the browser connects again, and its key is looked at again."""

MOST_FOLLOWERS = 100
HEARTBEAT_S = 15.0
_STREAM: dict[int | str, dict[str, Any]] = {200: {"content": {"text/event-stream": {}}}}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Tail:
    """What one follower was told, and what is new to him."""

    def __init__(self, filters: Filters, since: datetime) -> None:
        """Begin at an instant: events stored before it with an earlier time are not shown."""
        self._filters = filters
        self._since = since
        self._told: dict[UUID, datetime] = {}

    @property
    def filters(self) -> Filters:
        """What to look for now."""
        return replace(self._filters, since=self._since, until=datetime.now(UTC) + AHEAD)

    def take(self, events: list[Event]) -> list[Event]:
        """Return those not told of yet, oldest first, and take it that they are told."""
        fresh = sorted((each for each in events if each.id not in self._told), key=lambda each: each.key)
        self._told.update({each.id: each.timestamp for each in fresh})
        self._since = max(self._since, datetime.now(UTC) - BEHIND)
        self._told = {each: at for each, at in self._told.items() if at >= self._since}
        return fresh


@router.get("/live", responses=_STREAM, response_class=StreamingResponse)
async def follow_activities(
    request: Request,
    caller: Reader,
    query: Annotated[FiltersQuery, Query()],
    last_event_id: Annotated[str | None, Header(max_length=64)] = None,
) -> StreamingResponse:
    """Send events as they are stored, each within about a second; `Last-Event-ID` goes on after that one.

    An event that is stored a minute or more after its own time is in the answers of `activities` alone.
    """
    backends = backends_of(request)
    if backends.followers >= MOST_FOLLOWERS:
        raise refusal("unavailable", "Too many follow already.", {"retry-after": "30"})
    tail = Tail(query.filters(caller), await _start(request, query.filters(caller), last_event_id))

    async def lines() -> AsyncIterator[bytes]:
        backends.followers += 1
        try:
            async for line in _lines(request, tail):
                yield line
        finally:
            backends.followers -= 1

    return StreamingResponse(lines(), media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _lines(request: Request, tail: Tail) -> AsyncIterator[bytes]:
    clock = asyncio.get_running_loop().time
    end, spoke = clock() + LIFE_S, clock()
    # How soon the browser connects again, in milliseconds.
    yield b"retry: 1000\n\n"
    while clock() < end and not await request.is_disconnected():
        try:
            for event in await _look(request, tail):
                yield _written(event)
                spoke = clock()
        except RequestError:
            pass  # Postgres is away: what came meanwhile is told once it is back
        if clock() - spoke > HEARTBEAT_S:
            yield b":\n\n"
            spoke = clock()
        await asyncio.sleep(POLL_S)


async def _look(request: Request, tail: Tail) -> list[Event]:
    query = backends_of(request).query
    filters = tail.filters

    def newest(call: Call) -> list[Event]:
        return next(query.stream(filters, order="newest", call=call), [])

    return tail.take(await answered(request, newest))


async def _start(request: Request, filters: Filters, last_event_id: str | None) -> datetime:
    """Return the instant after which events are shown; raises where the filters are wrong."""
    now = datetime.now(UTC)
    await answered(request, lambda _: filters.check())
    microseconds = (last_event_id or "").partition("-")[0]
    if not (microseconds.isascii() and microseconds.isdigit()):
        return now
    try:
        at = _EPOCH + timedelta(microseconds=int(microseconds) + 1)
    except OverflowError:
        return now
    return min(max(at, now - MOST_BEHIND), now)


def _written(event: Event) -> bytes:
    number = (event.timestamp - _EPOCH) // timedelta(microseconds=1)
    return b"id: %d-%b\ndata: %b\n\n" % (number, str(event.id).encode(), msgspec.json.encode(event))
