"""Whether the process lives, whether it can serve, and its figures; for machines, outside of /api/v1."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from activity_pipeline.api import figures
from activity_pipeline.api.backends import Backends
from activity_pipeline.api.callers import Reader, backends_of
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.schemas import Readiness
from activity_pipeline.errors import ActivityError, RequestError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.migrations import pending

router = APIRouter(tags=["health"])
TTL_S = 1.0


@router.get("/healthz", status_code=204)
async def is_alive() -> Response:
    """Answer: the process lives."""
    return Response(status_code=204)


@router.get("/readyz")
async def is_ready(request: Request) -> Readiness:
    """Say whether Postgres and Redis answer and the schema is this release's; 503 where not."""
    backends = backends_of(request)
    readiness = await backends.memo.get("readiness", TTL_S, lambda: _look(backends))
    if not (readiness.postgres and readiness.redis and readiness.migrated):
        detail = "Not ready: see the members postgres, redis and migrated."
        raise refusal("unavailable", detail, {"retry-after": "5"}, **readiness.model_dump())
    return readiness


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def get_figures(request: Request, caller: Reader) -> Response:
    """Give the process's own figures as Prometheus reads them."""
    caller.require_everything()
    settings = backends_of(request).settings
    shared = settings.shared_figures if settings.api_workers > 1 else None
    return Response(figures.exposition(shared), media_type=figures.MEDIA_TYPE)


async def _look(backends: Backends) -> Readiness:
    redis, postgres, migrated = True, True, False
    try:
        await backends.ask(lambda client: client.ping())
    except RequestError:
        redis = False
    try:
        migrated = await backends.read(_is_migrated)
    except RequestError:
        postgres = False
    return Readiness(postgres=postgres, redis=redis, migrated=migrated)


def _is_migrated(connection: Statements) -> bool:
    try:
        return not pending(connection)
    except ActivityError:
        return False
