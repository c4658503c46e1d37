"""Days: where each one lives."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from activity_pipeline.api.callers import Reader, backends_of
from activity_pipeline.api.ranges import checked
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import DayModel, DayRange, DaysModel
from activity_pipeline.hot.days import list_days

router = APIRouter(prefix=f"{ROOT}/days", tags=["days"])
TTL_S = 2.0


class DaysQuery(DayRange):
    """Which days, and how many."""

    limit: int = Field(default=366, ge=1, le=4000, description="Days at the most, newest first")


@router.get("")
async def get_days(request: Request, caller: Reader, query: Annotated[DaysQuery, Query()]) -> DaysModel:
    """List days with their state: open, sealed, frozen, exported, archived or reopened."""
    caller.require_everything()
    first, last = checked(query)
    backends = backends_of(request)
    days = await backends.memo.get("days", TTL_S, lambda: backends.read(list_days))
    within = [day for day in reversed(days) if first <= day.day <= last]
    return DaysModel(days=[DayModel.model_validate(day) for day in within[: query.limit]], total=len(within))
