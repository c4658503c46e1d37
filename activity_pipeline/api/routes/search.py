"""Activities: pages, one of them and its neighbours, counts, facets, exports."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec
from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import AwareDatetime, Field

from activity_pipeline.api import figures
from activity_pipeline.api.activity_schemas import (
    ActivityModel,
    CountModel,
    FacetsModel,
    NeighboursModel,
    PageModel,
)
from activity_pipeline.api.callers import Caller, Reader, backends_of
from activity_pipeline.api.exports import FORMATS
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import Parameters
from activity_pipeline.api.searching import FiltersQuery, answered, streamed
from activity_pipeline.events.filters import Filters
from activity_pipeline.query import Call
from activity_pipeline.query.answers import Count, Facets, Neighbours, Page
from activity_pipeline.query.service import STREAM_TIMEOUT_S

router = APIRouter(prefix=ROOT, tags=["activities"])
Order = Literal["newest", "oldest"]
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {"content": {media_type.partition(";")[0]: {} for media_type, _ in FORMATS.values()}}
}


class PageQuery(FiltersQuery):
    """Which page."""

    order: Order = Field(default="newest", description="What comes first")
    limit: int = Field(default=50, ge=1, le=1000, description="Events at the most")
    cursor: str | None = Field(
        default=None, max_length=512, description="`next` or `previous` of a page of the same question"
    )


class ExportQuery(FiltersQuery):
    """Which events, and how."""

    order: Order = Field(default="oldest", description="What comes first")
    format: Literal["ndjson", "csv", "parquet"] = Field(default="ndjson", description="The format")


class OneQuery(Parameters):
    """Where to look for an event."""

    timestamp: AwareDatetime | None = Field(
        default=None, description="When it was: it is found sooner, above all where its id is no UUIDv7"
    )


class NeighboursQuery(OneQuery):
    """How many neighbours."""

    limit: int = Field(default=10, ge=1, le=100, description="Events before and after it, each")


@router.get("/activities", responses={200: {"model": PageModel}}, response_class=Response)
async def get_activities(request: Request, caller: Reader, query: Annotated[PageQuery, Query()]) -> Response:
    """List events of every day, wherever they are; `completeness` says what the answer may lack."""
    filters = query.filters(caller)
    service = backends_of(request).query
    page = await answered(
        request,
        lambda call: service.get_activities(filters, query.cursor, query.limit, order=query.order, call=call),
    )
    return _said(page, caller)


@router.get("/activities/count", responses={200: {"model": CountModel}}, response_class=Response)
async def count_activities(
    request: Request, caller: Reader, query: Annotated[FiltersQuery, Query()]
) -> Response:
    """Count events: exactly up to 10,000, beyond that `relation` is `gte`."""
    filters = query.filters(caller)
    service = backends_of(request).query
    return _said(await answered(request, lambda call: service.count(filters, call=call)), caller)


@router.get("/activities/export", responses=_ANSWERS, response_class=StreamingResponse)
async def export_activities(
    request: Request, caller: Reader, query: Annotated[ExportQuery, Query()]
) -> StreamingResponse:
    """Stream all events that are asked for, as NDJSON, CSV or Parquet.

    A stream that cannot be brought to its end is cut off: then it has no last chunk, and the Parquet no end.
    """
    filters = query.filters(caller)
    media_type, encode = FORMATS[query.format]
    call = Call(STREAM_TIMEOUT_S)
    parts = encode(backends_of(request).query.stream(filters, order=query.order, call=call))
    name = f"activities-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.{query.format}"
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(await streamed(request, call, parts), media_type=media_type, headers=headers)


@router.get("/facets", responses={200: {"model": FacetsModel}}, response_class=Response)
async def get_facets(request: Request, caller: Reader, query: Annotated[FiltersQuery, Query()]) -> Response:
    """Count the values of source, action, status, entity type and user in the newest 10,000 events."""
    filters = query.filters(caller)
    service = backends_of(request).query
    return _said(await answered(request, lambda call: service.facets(filters, call=call)), caller)


@router.get("/activities/{id}", responses={200: {"model": ActivityModel}}, response_class=Response)
async def get_activity(
    request: Request,
    caller: Reader,
    event_id: Annotated[UUID, Path(alias="id")],
    query: Annotated[OneQuery, Query()],
) -> Response:
    """Return one event."""
    service = backends_of(request).query
    event = await answered(
        request,
        lambda call: service.get_activity(
            event_id, timestamp=query.timestamp, filters=_seen_by(caller), call=call
        ),
    )
    if event is None:
        raise refusal("not-found", "There is no such event.")
    return Response(msgspec.json.encode(event), media_type="application/json")


@router.get(
    "/activities/{id}/neighbours", responses={200: {"model": NeighboursModel}}, response_class=Response
)
async def get_neighbours(
    request: Request,
    caller: Reader,
    event_id: Annotated[UUID, Path(alias="id")],
    query: Annotated[NeighboursQuery, Query()],
) -> Response:
    """Return an event with the nearest ones of its entity and of its user, 30 days around."""
    service = backends_of(request).query
    found = await answered(
        request,
        lambda call: service.neighbours(
            event_id, timestamp=query.timestamp, filters=_seen_by(caller), limit=query.limit, call=call
        ),
    )
    if found is None:
        raise refusal("not-found", "There is no such event.")
    return _said(found, caller)


def _seen_by(caller: Caller) -> Filters:
    return Filters().restricted(caller.sources, caller.user_id)


def _said(answer: Page | Count | Facets | Neighbours, caller: Caller) -> Response:
    if not isinstance(answer, Neighbours):
        figures.ANSWERS.labels(answer.cache).inc()
    if caller.is_restricted:
        # What is about all events is none of his business.
        completeness = msgspec.structs.replace(
            answer.completeness, queue=None, ledger_residual=None, ledger_at=None
        )
        answer = msgspec.structs.replace(answer, completeness=completeness)
    return Response(msgspec.json.encode(answer), media_type="application/json")
