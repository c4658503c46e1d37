"""The ledger: every event accounted for."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import Field

from activity_pipeline.api.callers import Reader, backends_of
from activity_pipeline.api.ranges import checked
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import DayLedgerModel, DayRange, LedgerModel, Parameters, ProducerModel
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.ledger import read_days, read_ledger, read_producers

router = APIRouter(prefix=f"{ROOT}/ledger", tags=["ledger"])
TTL_S = 2.0
"""How old its figures may be: each time they are counted, all hot rows are."""


class Newest(Parameters):
    """How many."""

    limit: int = Field(default=100, ge=1, le=10_000, description="Rows at the most, newest first")


class DayLedgerRange(DayRange, Newest):
    """Which days, and how many."""


@router.get("")
async def get_ledger(request: Request, caller: Reader, _: Annotated[Parameters, Query()]) -> LedgerModel:
    """Account for every event; a residual of 0 is proof that none is missing or doubled."""
    caller.require_everything()
    backends = backends_of(request)
    ledger = await backends.memo.get("ledger", TTL_S, lambda: backends.read(read_ledger))
    return LedgerModel(**ledger.as_dict())


@router.get("/producers")
async def get_producers(
    request: Request, caller: Reader, query: Annotated[Newest, Query()]
) -> list[ProducerModel]:
    """Account for each producer's events by their sequence numbers."""
    caller.require_everything()
    backends = backends_of(request)
    producers = await backends.memo.get("producers", TTL_S, lambda: backends.read(read_producers))
    return [ProducerModel(**asdict(each)) for each in producers[: query.limit]]


@router.get("/days")
async def get_days(
    request: Request, caller: Reader, query: Annotated[DayLedgerRange, Query()]
) -> list[DayLedgerModel]:
    """Account for the events of each day: what arrived, what was stored and where it is now."""
    caller.require_everything()
    first, last = checked(query)

    def look(connection: Statements) -> list[DayLedgerModel]:
        days = read_days(connection, (first, last))[: query.limit]
        return [DayLedgerModel(**asdict(each), difference=each.difference) for each in days]

    return await backends_of(request).read(look)
