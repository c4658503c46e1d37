"""Sessions: an API key in a cookie, for the monitor page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from activity_pipeline import __version__
from activity_pipeline.api.callers import (
    COOKIE,
    Caller,
    Reader,
    backends_of,
    caller_of,
    find_key,
    require_page,
)
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import Parameters
from activity_pipeline.ingest.reporting import dagster_url

router = APIRouter(prefix=f"{ROOT}/session", tags=["session"])
SESSION_S = 12 * 3600
"""How long a browser keeps the key, in seconds; a key that is revoked ends it at once."""


class SignIn(BaseModel):
    """What a sign-in brings."""

    model_config = ConfigDict(extra="forbid")

    key: str = Field(max_length=128, description="`act_…`, a key of `activity-pipeline keys create`")


class SessionModel(BaseModel):
    """Who asks, and what of."""

    name: str = Field(description="Public prefix of the key, or `loopback`")
    label: str = Field(description="The key's name")
    scopes: list[str]
    is_restricted: bool = Field(description="Whether the key is for some sources, or one user, alone")
    version: str
    dagster_url: str = Field(description="Root of Dagster's web server, where it is told")
    has_legacy: bool = Field(description="Whether an application is named whose audit triggers are to go")


@router.get("")
async def get_session(request: Request, caller: Reader, _: Annotated[Parameters, Query()]) -> SessionModel:
    """Say who asks."""
    return _session(request, caller)


@router.post("", responses={401: {}, 403: {}})
async def sign_in(request: Request, response: Response, body: SignIn) -> SessionModel:
    """Put a key into a cookie that no script can read and no other site can send.

    The API takes it in place of the header; what changes something needs a header of the page beside it.
    """
    require_page(request)
    caller = caller_of(await find_key(backends_of(request), body.key))
    response.set_cookie(
        COOKIE, body.key, max_age=SESSION_S, httponly=True, samesite="strict", secure=_is_tls(request)
    )
    return _session(request, caller)


@router.delete("", status_code=204, responses={403: {}})
async def sign_out(request: Request) -> Response:
    """Have the browser forget the key."""
    require_page(request)
    response = Response(status_code=204)
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_is_tls(request))
    return response


def _is_tls(request: Request) -> bool:
    # Whoever pretends this gets a cookie that is kept more closely, no more.
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", ""))


def _session(request: Request, caller: Caller) -> SessionModel:
    return SessionModel(
        name=caller.name,
        label=caller.label,
        scopes=sorted(caller.scopes),
        is_restricted=caller.is_restricted,
        version=__version__,
        dagster_url=dagster_url(backends_of(request).settings),
        has_legacy=bool(backends_of(request).settings.legacy_dsn) and not caller.is_restricted,
    )
