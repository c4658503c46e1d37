"""Daily metrics and anomalies."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import Field

from activity_pipeline.api.callers import Caller, Reader, backends_of
from activity_pipeline.api.ranges import checked
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import AnomaliesModel, DayRange, MetricsModel, Text
from activity_pipeline.hot.result_pages import Wanted, read_page
from activity_pipeline.hot.results import ResultKind

router = APIRouter(prefix=ROOT)
DEFAULT_DAYS = 7
MOST_DAYS = 366


class ResultsQuery(DayRange):
    """Which days and series, and how many rows."""

    source: Text | None = Field(default=None, description="Only this source")
    action: Text | None = Field(default=None, description="Only this action")
    limit: int = Field(default=1000, ge=1, le=10_000, description="Rows at the most")


@router.get("/metrics/daily", tags=["metrics"])
async def get_daily_metrics(
    request: Request, caller: Reader, query: Annotated[ResultsQuery, Query()]
) -> MetricsModel:
    """Count events by day, source, action and status; of the last week where no day is named."""
    rows, total = await _rows(request, caller, "metrics", query)
    return MetricsModel.model_validate({"rows": rows, "total": total})


@router.get("/anomalies", tags=["anomalies"])
async def get_anomalies(
    request: Request, caller: Reader, query: Annotated[ResultsQuery, Query()]
) -> AnomaliesModel:
    """List days on which a series was far from its own history; of the last week where no day is named."""
    rows, total = await _rows(request, caller, "anomalies", query)
    return AnomaliesModel.model_validate({"rows": rows, "total": total})


async def _rows(
    request: Request, caller: Caller, kind: ResultKind, query: ResultsQuery
) -> tuple[list[dict[str, Any]], int]:
    caller.require_all_users()
    first, last = checked(query, default_days=DEFAULT_DAYS, most_days=MOST_DAYS)
    wanted = Wanted(
        first=first,
        last=last,
        sources=caller.sources,
        source=query.source,
        action=query.action,
        limit=query.limit,
    )
    return await backends_of(request).read(lambda connection: read_page(connection, kind, wanted))
