"""What people say of anomalies: looked at, or muted for a while."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints

from activity_pipeline.api.administration import administration, note_change
from activity_pipeline.api.callers import Admin, backends_of
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import Text
from activity_pipeline.errors import ActivityError
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.judgements import Mute, acknowledge, mute

router = APIRouter(prefix=f"{ROOT}/anomalies", tags=["anomalies"])
MOST_CHARACTERS = 1000

Said = Annotated[str, StringConstraints(max_length=MOST_CHARACTERS, pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00]*$")]


class Acknowledgement(BaseModel):
    """Which anomalies of a day were looked at, and what was found."""

    model_config = ConfigDict(extra="forbid")

    date: date
    source: Text
    action: Text = Field(default="", description="Empty for a whole source")
    kind: Text | None = Field(default=None, description="Of this kind alone")
    note: Said = ""


class MuteOrder(BaseModel):
    """Of what nobody wants to be told, until when, and why."""

    model_config = ConfigDict(extra="forbid")

    source: Name
    action: Text | None = Field(default=None, description="This action alone")
    kind: Text | None = Field(default=None, description="This kind alone")
    until: AwareDatetime
    reason: Annotated[Said, Field(min_length=1)]


class AcknowledgedModel(BaseModel):
    """How many anomalies were acknowledged."""

    acknowledged: int


class MuteModel(BaseModel):
    """A mute."""

    model_config = ConfigDict(from_attributes=True)

    id: int
    source: str
    action: str | None
    kind: str | None
    until: datetime
    by: str
    reason: str


@router.post("/acknowledge", responses={409: {}})
async def acknowledge_anomalies(request: Request, caller: Admin, body: Acknowledgement) -> AcknowledgedModel:
    """Note that somebody has looked at anomalies of a day; 404 where there is none."""
    caller.require_everything()
    dsn = backends_of(request).settings.postgres_dsn

    def note() -> int:
        with connect(dsn) as connection:
            try:
                return acknowledge(
                    connection, body.date, body.source, body.action,
                    kind=body.kind, by=caller.label, note=body.note,
                )  # fmt: skip
            except ActivityError as error:
                raise refusal("not-found", "There is no such anomaly.") from error

    acknowledged = await administration(request).run(note)
    note_change(backends_of(request), caller, "anomalies_acknowledged", day=body.date.isoformat())
    return AcknowledgedModel(acknowledged=acknowledged)


@router.post("/mute", responses={409: {}})
async def mute_anomalies(request: Request, caller: Admin, body: MuteOrder) -> MuteModel:
    """Tell nobody of a series for a while; what is unusual is stored all the same."""
    caller.require_everything()
    if body.until <= datetime.now(UTC):
        what = "It must lie ahead."
        raise refusal("invalid-parameters", what, errors=[{"where": "body.until", "what": what}])
    dsn = backends_of(request).settings.postgres_dsn

    def note() -> Mute:
        with connect(dsn) as connection:
            return mute(
                connection, body.source, action=body.action, kind=body.kind,
                until=body.until, by=caller.label, reason=body.reason,
            )  # fmt: skip

    muted = await administration(request).run(note)
    note_change(backends_of(request), caller, "anomalies_muted", source=body.source, action=body.action)
    return MuteModel.model_validate(muted)
