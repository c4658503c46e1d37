"""Every error as a problem document (RFC 9457): what happened, never how, and nothing of what was sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from activity_pipeline.errors import RequestError

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:activity-pipeline:problem:"
MOST_ERRORS = 20
"""Faults of one request that are named."""

PROBLEMS: dict[str, HTTPStatus] = {
    "malformed-request": HTTPStatus.BAD_REQUEST,
    "key-required": HTTPStatus.UNAUTHORIZED,
    "not-allowed": HTTPStatus.FORBIDDEN,
    "not-found": HTTPStatus.NOT_FOUND,
    "method-not-allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "too-slow": HTTPStatus.REQUEST_TIMEOUT,
    "conflict": HTTPStatus.CONFLICT,
    "too-large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "media-type-not-supported": HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "invalid-parameters": HTTPStatus.UNPROCESSABLE_ENTITY,
    "nothing-accepted": HTTPStatus.UNPROCESSABLE_ENTITY,
    "too-many-requests": HTTPStatus.TOO_MANY_REQUESTS,
    "internal-error": HTTPStatus.INTERNAL_SERVER_ERROR,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}
"""The closed set of problems, each with its status."""

_BY_STATUS = {status: name for name, status in reversed(PROBLEMS.items())}


class Fault(BaseModel):
    """One thing that is wrong with a request."""

    where: str = Field(description="The parameter, or the place in the body")
    what: str = Field(description="What is wrong with it")


class ProblemDocument(BaseModel):
    """An error as RFC 9457 says it."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description=f"`{TYPE_PREFIX}` and the problem's name")
    title: str = Field(description="The status in words")
    status: int = Field(description="The HTTP status", ge=400, le=599)
    detail: str = Field(description="What happened, a sentence")
    request_id: str = Field(description="By which the service's log names this request")
    errors: list[Fault] | None = Field(default=None, description="Everything that is wrong with the request")


def refusal(
    problem: str, detail: str, headers: Mapping[str, str] | None = None, **members: Any
) -> RequestError:
    """Return the error that ends a request.

    Args:
        problem: One of PROBLEMS.
        detail: What happened, a sentence without anything secret.
        headers: Further headers of the answer.
        members: Further members of the document.
    """
    return RequestError(detail, problem=problem, headers=headers or {}, members=members)


def document(error: RequestError, request_id: str) -> JSONResponse:
    """Return the answer that an error is."""
    status = PROBLEMS[error.problem]
    return JSONResponse(
        {
            "type": f"{TYPE_PREFIX}{error.problem}",
            "title": status.phrase,
            "status": status.value,
            "detail": str(error),
            "request_id": request_id,
            **error.members,
        },
        status.value,
        dict(error.headers),
        MEDIA_TYPE,
    )


def install(app: FastAPI) -> None:
    """Have all errors of an application answered by problem documents."""
    app.add_exception_handler(RequestError, _answer_refusal)
    app.add_exception_handler(RequestValidationError, _answer_validation)
    app.add_exception_handler(HTTPException, _answer_http)


def request_id(request: Request) -> str:
    """Return the id that `exchange` gave the request."""
    return str(request.scope["state"]["request_id"])


async def _answer_refusal(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestError):
        raise error
    return document(error, request_id(request))


async def _answer_validation(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, RequestValidationError):
        raise error
    # What was sent is left out: it may be anybody's.
    faults = [
        {"where": _place(each["loc"]), "what": str(each["msg"])[:200]}
        for each in error.errors()[:MOST_ERRORS]
    ]
    refused = refusal("invalid-parameters", "The request does not fit its description.", errors=faults)
    return document(refused, request_id(request))


async def _answer_http(request: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, HTTPException):
        raise error
    problem = _BY_STATUS.get(HTTPStatus(error.status_code), "malformed-request")
    detail = f"{HTTPStatus(error.status_code).phrase}."
    return document(refusal(problem, detail, error.headers), request_id(request))


def _place(location: Sequence[Any]) -> str:
    return ".".join("".join(c for c in str(part)[:64] if c.isprintable()) for part in location)[:200]
