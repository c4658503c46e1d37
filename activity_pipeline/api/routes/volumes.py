"""Metrics summed up: volume over time, and rankings."""

from __future__ import annotations

from datetime import date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from activity_pipeline.api.callers import Reader, backends_of
from activity_pipeline.api.ranges import checked
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import DayRange, Text
from activity_pipeline.hot.volumes import Series, read_ranking, read_volume

router = APIRouter(prefix=f"{ROOT}/metrics", tags=["metrics"])
DEFAULT_DAYS = 30
MOST_DAYS = {"day": 3660, "hour": 92}
_LISTED = 20


class VolumeQuery(DayRange):
    """Which series, and in what steps."""

    step: Literal["day", "hour"] = Field(default="day", description="At most 92 days by hour")
    source: list[Text] = Field(default=[], max_length=_LISTED, description="Any of these sources")
    action: list[Text] = Field(default=[], max_length=_LISTED, description="Any of these actions")
    action_prefix: Text | None = Field(default=None, description="What the action begins with")
    status: list[Text] = Field(default=[], max_length=_LISTED, description="Any of these statuses")


class VolumeModel(BaseModel):
    """What there was in one step of time."""

    model_config = ConfigDict(from_attributes=True)

    start: datetime = Field(description="Its first instant")
    events: int
    failures: int = Field(description="Those of them with a status that means failure")


class VolumesModel(BaseModel):
    """Steps that had events, in order."""

    first: date
    last: date
    steps: list[VolumeModel]


class RankingQuery(DayRange):
    """What is ranked."""

    of: Literal["sources", "actions", "failing_actions", "users"] = Field(description="What is ranked")
    source: Text | None = Field(default=None, description="Only this source; users are counted over all")
    limit: int = Field(default=10, ge=1, le=100, description="How many at the most")


class RankModel(BaseModel):
    """One of those with the most events."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    events: int
    failures: int


@router.get("/volume")
async def get_volume(
    request: Request, caller: Reader, query: Annotated[VolumeQuery, Query()]
) -> VolumesModel:
    """Count events and failures by day or hour, series together; of the last 30 days where none is named."""
    caller.require_all_users()
    first, last = checked(query, default_days=DEFAULT_DAYS, most_days=MOST_DAYS[query.step])
    series = Series(
        first=first,
        last=last,
        sources=None if caller.sources is None else sorted(caller.sources),
        source=query.source or None,
        action=query.action or None,
        action_prefix=query.action_prefix,
        status=query.status or None,
    )
    steps = await backends_of(request).read(lambda connection: read_volume(connection, series, query.step))
    return VolumesModel(first=first, last=last, steps=[VolumeModel.model_validate(step) for step in steps])


@router.get("/ranking")
async def get_ranking(
    request: Request, caller: Reader, query: Annotated[RankingQuery, Query()]
) -> list[RankModel]:
    """Rank sources, actions or users by their events; of the last 30 days where none is named."""
    caller.require_all_users()
    if query.of == "users":
        caller.require_everything()
    days = checked(query, default_days=DEFAULT_DAYS)
    ranks = await backends_of(request).read(
        lambda connection: read_ranking(
            connection, query.of, days, sources=caller.sources, source=query.source, limit=query.limit
        )
    )
    return [RankModel.model_validate(rank) for rank in ranks]
