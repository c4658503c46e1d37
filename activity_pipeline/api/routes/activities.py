"""Activities: POST events, one or many."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from activity_pipeline.api.callers import Writer, backends_of
from activity_pipeline.api.intake import JSON, NDJSON, split, take
from activity_pipeline.api.problems import refusal
from activity_pipeline.api.routes import ROOT
from activity_pipeline.api.schemas import EVENT_SCHEMA, Receipt

router = APIRouter(prefix=f"{ROOT}/activities", tags=["activities"])

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {"anyOf": [EVENT_SCHEMA, {"type": "array", "minItems": 1, "items": EVENT_SCHEMA}]}
            },
            NDJSON[0]: {"schema": {"type": "string", "description": "One event a line"}},
        },
    }
}


@router.post("", status_code=202, openapi_extra=_BODY, response_model_exclude_none=True)
async def log_activities(request: Request, caller: Writer) -> Receipt:
    """Log events: one JSON object, an array of them, or NDJSON.

    Answered once Redis has them (or, while that is away, the disk of this machine): then the accepted ones
    are stored, each once. Whoever gets no answer sends them again; the same id with the same timestamp
    (or a UUIDv7 alone) is stored once. The verdict on each event is the one that the drain would come to.
    422 where no event of the request is accepted.
    """
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise refusal("media-type-not-supported", "Bodies come uncompressed.")
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in {JSON, *NDJSON}:
        split(b"", media_type)
    return await take(backends_of(request), caller, split(await request.body(), media_type))
