"""Status: queue, days, ledger and results in one look."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Query, Request

from activity_pipeline import __version__
from activity_pipeline.api.backends import Backends
from activity_pipeline.api.callers import Reader, backends_of
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import Parameters, QueueModel, StatusModel
from activity_pipeline.errors import RequestError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.days import list_days
from activity_pipeline.hot.follower import is_followed
from activity_pipeline.hot.ledger import read_ledger
from activity_pipeline.hot.offsets import read_offsets
from activity_pipeline.hot.results import stale_days
from activity_pipeline.ingest.lag import read_lag
from activity_pipeline.queue.read import EntryId

router = APIRouter(prefix=f"{ROOT}/status", tags=["status"])
TTL_S = 2.0


@router.get("")
async def get_status(request: Request, caller: Reader, _: Annotated[Parameters, Query()]) -> StatusModel:
    """Say how things are: what waits in the queue, where days are, whether every event is accounted for."""
    caller.require_everything()
    backends = backends_of(request)
    return await backends.memo.get("status", TTL_S, lambda: _look(backends))


async def _look(backends: Backends) -> StatusModel:
    offsets: dict[int, EntryId] = {}
    status = StatusModel(
        version=__version__,
        queue=None,
        days=None,
        residual=None,
        stale_metrics_days=None,
        is_followed=None,
    )
    try:
        offsets = await backends.read(read_offsets)
        status = await backends.read(lambda connection: _hot(connection, status))
    except RequestError:
        pass  # what is not known is null
    return status.model_copy(update={"queue": await _queue(backends, offsets)})


def _hot(connection: Statements, status: StatusModel) -> StatusModel:
    return status.model_copy(
        update={
            "days": dict(Counter(day.state for day in list_days(connection))),
            "residual": read_ledger(connection).residual,
            "stale_metrics_days": len(stale_days(connection, "metrics")),
            "is_followed": is_followed(connection),
        }
    )


async def _queue(backends: Backends, offsets: dict[int, EntryId]) -> QueueModel | None:
    shards = backends.settings.queue_shards
    try:
        lag = await backends.ask(lambda client: read_lag(client, offsets, shards=shards))
    except RequestError:
        return None
    health = lag.health
    return QueueModel.model_validate(
        {
            "is_trusted": lag.is_trusted,
            "version": health.version,
            "used_bytes": health.used_bytes,
            "limit_bytes": health.limit_bytes,
            "append_only": health.append_only,
            "concerns": health.concerns,
            "legacy_events": lag.legacy_events,
            "streams": [asdict(stream) for stream in lag.streams],
        }
    )
