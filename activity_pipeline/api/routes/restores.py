"""Restored days: archived ones back in Postgres for a while, and given back early."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from activity_pipeline.api.administration import administration, note_change
from activity_pipeline.api.callers import Admin, backends_of
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.routes import ROOT
from activity_pipeline.archive import ArchiveStore, restore_days
from activity_pipeline.archive.days.restore import RestoredDay, give_back_days
from activity_pipeline.hot.connection import connect, open_hot
from activity_pipeline.settings import Settings

router = APIRouter(prefix=f"{ROOT}/days", tags=["days"])
MOST_HOURS = 366 * 24


class Restore(BaseModel):
    """For how long a day shall be back."""

    model_config = ConfigDict(extra="forbid")

    hours: int = Field(default=7 * 24, ge=1, le=MOST_HOURS, description="How long it stays, in hours")


class RestoredModel(BaseModel):
    """A day that is back."""

    model_config = ConfigDict(from_attributes=True)

    day: date
    rows: int
    until: datetime = Field(description="When its time is over")
    extended: bool = Field(description="Whether it was there already, so that only its time changed")


@router.post("/{day}/restore", responses={409: {}})
async def restore_day(request: Request, caller: Admin, day: date, body: Restore) -> RestoredModel:
    """Bring one archived day back to Postgres, verified; answered once it is there.

    404 where nothing of the day is in the archive alone, 409 where the archive does not have it as it
    should be, or is being erased from.
    """
    caller.require_everything()
    backends = backends_of(request)
    restored = await administration(request).run(lambda: _restore(backends.settings, day, body.hours))
    if restored is None:
        raise refusal("not-found", "Nothing of this day is in the archive alone.")
    backends.memo.forget("days")
    note_change(backends, caller, "day_restored", day=day.isoformat(), hours=body.hours)
    return RestoredModel.model_validate(restored)


@router.delete("/{day}/restore", status_code=204, responses={409: {}})
async def give_back_day(request: Request, caller: Admin, day: date) -> None:
    """Drop a restored day before its time is over; 404 where it is not restored, 409 while it is read."""
    caller.require_everything()
    backends = backends_of(request)
    if not await administration(request).run(lambda: _give_back(backends.settings, day)):
        raise refusal("not-found", "This day is not restored.")
    backends.memo.forget("days")
    note_change(backends, caller, "day_given_back", day=day.isoformat())


def _restore(settings: Settings, day: date, hours: int) -> RestoredDay | None:
    store = ArchiveStore(settings.archive_root)
    with open_hot(settings.postgres_dsn) as (statements, bulk):
        return next(restore_days(statements, bulk, store, [day], timedelta(hours=hours)), None)


def _give_back(settings: Settings, day: date) -> list[date]:
    with connect(settings.postgres_dsn) as statements:
        return give_back_days(statements, [day])
