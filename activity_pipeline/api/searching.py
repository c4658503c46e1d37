"""Questions of requests: what they ask, found in a thread, given up where the client leaves."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

import anyio.to_thread
import msgspec
import psycopg
from fastapi import Request
from psycopg_pool import PoolTimeout
from pydantic import AwareDatetime, Field
from starlette.requests import ClientDisconnect

from activity_pipeline.api.callers import Caller, backends_of
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.schemas import Parameters, Text
from activity_pipeline.errors import ArchiveError, BusyError, CancelledError, QuestionError, StoreError
from activity_pipeline.events.filters import AGO, MOST_TEXT, Filters, parse_ago
from activity_pipeline.query import Call

T = TypeVar("T")
LOOK_S = 0.25
"""How often it is looked whether the client is still there, in seconds."""

Id = Annotated[str, Field(max_length=512, pattern=r"^[^\x00]*$")]
_LISTED = 20


class FiltersQuery(Parameters):
    """What events must be like; all of it must hold."""

    since: AwareDatetime | None = Field(default=None, description="The first instant")
    until: AwareDatetime | None = Field(default=None, description="The first instant that is too late")
    within: str | None = Field(
        default=None,
        max_length=5,
        pattern=f"^{AGO.pattern}$",
        description="Instead of since: so many minutes, hours or days before now; 7d",
    )
    source: list[Text] = Field(default=[], max_length=_LISTED, description="Any of these sources")
    action: list[Text] = Field(default=[], max_length=_LISTED, description="Any of these actions")
    action_prefix: Text | None = Field(default=None, description="What the action begins with")
    status: list[Text] = Field(default=[], max_length=_LISTED, description="Any of these statuses")
    entity_type: Text | None = Field(default=None, description="The kind of thing")
    entity_id: Id | None = Field(default=None, description="Which thing")
    user_id: list[UUID] = Field(default=[], max_length=_LISTED, description="Any of these users")
    text: str | None = Field(
        default=None,
        max_length=MOST_TEXT,
        pattern=r"^[^\x00]*$",
        description="Words that action and metadata's description have all, whatever their endings",
    )
    metadata: str | None = Field(
        default=None, max_length=4096, description='A JSON object that the metadata contains: {"ip":"…"}'
    )

    def filters(self, caller: Caller) -> Filters:
        """Return what is asked for, of what the caller may see.

        Raises:
            RequestError: The metadata is no JSON object.
        """
        asked = Filters(
            since=self.since or (parse_ago(self.within) if self.within else None),
            until=self.until,
            sources=tuple(self.source) or None,
            actions=tuple(self.action) or None,
            action_prefix=self.action_prefix,
            statuses=tuple(self.status) or None,
            entity_type=self.entity_type,
            entity_id=self.entity_id,
            users=tuple(self.user_id) or None,
            text=self.text,
            metadata=_needle(self.metadata) if self.metadata is not None else None,
        )
        return asked.restricted(caller.sources, caller.user_id)


def _needle(text: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise wrong("metadata", "It is no JSON object.") from None


def wrong(field: str, what: str) -> Exception:
    """Return the error of a parameter."""
    return refusal("invalid-parameters", what, errors=[{"where": f"query.{field}", "what": what}])


async def answered(request: Request, ask: Callable[[Call], T], call: Call | None = None) -> T:
    """Have a question answered in a thread; where the client leaves it is given up.

    Raises:
        RequestError: The question is wrong, takes too long, or something is away.
        ClientDisconnect: The client has left.
    """
    backends = backends_of(request)
    call = call or Call(backends.settings.api_question_timeout_s)
    asking = asyncio.ensure_future(
        anyio.to_thread.run_sync(partial(_ask, ask, call), limiter=backends.question_limiter)
    )
    try:
        while not asking.done():
            await asyncio.wait({asking}, timeout=LOOK_S)
            if not asking.done() and await request.is_disconnected():
                call.cancel()
        return asking.result()
    except asyncio.CancelledError:
        call.cancel()
        raise
    except CancelledError as error:
        raise ClientDisconnect from error


def _ask(ask: Callable[[Call], T], call: Call) -> T:
    try:
        return ask(call)
    except QuestionError as error:
        raise wrong(error.field, str(error)) from error
    except (BusyError, psycopg.errors.QueryCanceled) as error:
        raise refusal(
            "unavailable", "Finding this took too long; ask for less.", {"retry-after": "5"}
        ) from error
    except ArchiveError as error:
        raise refusal("unavailable", "The archive does not answer now.", {"retry-after": "30"}) from error
    except (PoolTimeout, psycopg.Error, StoreError) as error:
        raise refusal("unavailable", "Postgres does not answer now.", {"retry-after": "5"}) from error


Format = Literal["ndjson", "csv", "parquet"]


async def streamed(request: Request, call: Call, parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Return parts, each found in a thread, the first of them at once: what is wrong is known by then."""
    first = await answered(request, lambda _: next(parts, b""), call)

    async def rest() -> AsyncIterator[bytes]:
        with contextlib.ExitStack() as leaving:
            leaving.callback(call.cancel)
            yield first
            while part := await answered(request, lambda _: next(parts, b""), call):
                yield part

    return rest()
