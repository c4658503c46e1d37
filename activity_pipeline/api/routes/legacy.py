"""The way off an application's audit triggers: phases, parity, bypasses."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from activity_pipeline.api.callers import Reader, backends_of
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import Parameters
from activity_pipeline.errors import LegacyError
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.legacy import read_parity_by_day
from activity_pipeline.legacy.inventory import read_inventory, read_overrides
from activity_pipeline.legacy.plan import find_plan
from activity_pipeline.legacy.progress import PhaseProgress, Progress, TableProgress, read_progress
from activity_pipeline.settings import Settings

router = APIRouter(prefix=f"{ROOT}/legacy", tags=["legacy"])
TTL_S = 15.0
"""How old the answer may be: for it the application's catalogue is read."""

WINDOW_DAYS = 7
BYPASSES = timedelta(days=1)


class PhaseModel(BaseModel):
    """A phase of the way."""

    number: int
    name: str
    state: str
    dropped: int = Field(description="Audit triggers that are gone")
    left: int = Field(description="Audit triggers that are there")
    last_at: datetime | None = Field(description="When the last one went")


class ParityModel(BaseModel):
    """Changes that audit rows and events tell of."""

    matched: int
    missing: int = Field(description="Changes without an event")
    extra: int = Field(description="Events without a change")
    different: int = Field(description="Changes that both have, with other values")


class TableModel(BaseModel):
    """A table that has or had audit triggers."""

    table_name: str
    dropped: int
    left: int
    parity: ParityModel | None = Field(description="Null where nothing was compared")
    bypassed: int = Field(description="Rows changed in the last day that no event tells of")
    saved_ms: float | None = Field(description="What a changed row costs less; null where not measured")


class DriftModel(BaseModel):
    """Triggers of which the plan does not say what is so."""

    new: list[str] = Field(description="They audit, and no phase has them")
    changed: list[str] = Field(description="They are not as they were planned, or audit no more")
    gone: list[str] = Field(description="They were planned, and went without a cutover")


class ParityDayModel(ParityModel):
    """What was compared of a day, all tables together."""

    day: date


class LegacyModel(BaseModel):
    """How far the way off the triggers is gone."""

    phase: int = Field(description="Under way or next; one more than there are when all is done")
    left: int
    saved_ms: float | None
    undecided: list[str] = Field(description="Triggers that stay until a person says what they are")
    drift: DriftModel | None = Field(description="Null where ACTIVITY_LEGACY_PLAN has no plan")
    first: date = Field(description="The first day of the parity of tables")
    last: date
    phases: list[PhaseModel]
    tables: list[TableModel]
    days: list[ParityDayModel]


@router.get("")
async def get_legacy(request: Request, caller: Reader, _: Annotated[Parameters, Query()]) -> LegacyModel:
    """Say how far an application's audit triggers are gone, and whether events tell all that they told.

    404 where no application is named (ACTIVITY_LEGACY_DSN).
    """
    caller.require_everything()
    backends = backends_of(request)
    settings = backends.settings
    if not settings.legacy_dsn:
        raise refusal("not-found", "No application is named whose triggers are to go.")

    look = partial(_look, settings)
    try:
        return await backends.memo.get("legacy", TTL_S, lambda: backends.read(look))
    except LegacyError as error:
        detail = "The application's triggers cannot be read now; `legacy status` says why."
        raise refusal("unavailable", detail, {"retry-after": "30"}) from error


def _look(settings: Settings, ours: Statements) -> LegacyModel:
    overrides = Path(settings.legacy_overrides).expanduser() if settings.legacy_overrides else None
    inventory = read_inventory(settings.legacy_dsn, read_overrides(overrides))
    plan = find_plan(settings.legacy_plan)
    first, last = today() - WINDOW_DAYS * ONE_DAY, today() - ONE_DAY
    with connect(settings.legacy_dsn) as application:
        seen = read_progress(application, ours, inventory, plan, (first, last), datetime.now(UTC) - BYPASSES)
    days = read_parity_by_day(ours, first, today())
    return _model(seen, first, last, [ParityDayModel(**each) for each in days])


def _model(seen: Progress, first: date, last: date, days: list[ParityDayModel]) -> LegacyModel:
    return LegacyModel(
        phase=seen.phase,
        left=seen.left,
        saved_ms=seen.saved_ms,
        undecided=list(seen.undecided),
        drift=DriftModel(**seen.drift.as_dict()) if seen.drift else None,
        first=first,
        last=last,
        phases=[_phase(each) for each in seen.phases],
        tables=[_table(each) for each in seen.tables],
        days=days,
    )


def _phase(phase: PhaseProgress) -> PhaseModel:
    return PhaseModel(**asdict(phase), state=phase.state)


def _table(table: TableProgress) -> TableModel:
    known = table.parity
    return TableModel(
        table_name=table.table_name,
        dropped=table.dropped,
        left=table.left,
        parity=ParityModel(
            matched=known.matched, missing=known.missing, extra=known.extra, different=known.different
        )
        if known
        else None,
        bypassed=table.bypassed,
        saved_ms=table.saved_ms,
    )
