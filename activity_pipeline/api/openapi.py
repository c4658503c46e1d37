"""The OpenAPI 3.1 document: errors of every route are problem documents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from activity_pipeline.api.problems import MEDIA_TYPE, PROBLEMS, ProblemDocument

_REFERENCE = "#/components/schemas/{model}"
_OF_KEYS = (401, 403, 429)
_OF_ALL = (400, 404, 405, 408, 413, 415, 422, 500, 503)


def describing(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return what makes the document of an application, once."""

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _described(app)
        return app.openapi_schema

    return describe


def _described(app: FastAPI) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version="3.1.0",
        summary=app.summary,
        description=app.description,
        routes=app.routes,
    )
    models = document.setdefault("components", {}).setdefault("schemas", {})
    problem = ProblemDocument.model_json_schema(ref_template=_REFERENCE)
    models.update(problem.pop("$defs", {}))
    models["ProblemDocument"] = problem
    for name in ("HTTPValidationError", "ValidationError"):
        models.pop(name, None)
    content = {MEDIA_TYPE: {"schema": {"$ref": _REFERENCE.format(model="ProblemDocument")}}}
    phrases = {status.value: status.phrase for status in PROBLEMS.values()}
    for path in document["paths"].values():
        for operation in path.values():
            for status in sorted(_possible(operation)):
                operation["responses"][str(status)] = {"description": phrases[status], "content": content}
    return document


def _possible(operation: dict[str, Any]) -> set[int]:
    """Return the errors of an operation: those of all, of keys, and those that its route names."""
    named = {int(status) for status in operation["responses"] if status.isdigit() and int(status) >= 400}
    return {*_OF_ALL, *(_OF_KEYS if operation.get("security") else ()), *named}
