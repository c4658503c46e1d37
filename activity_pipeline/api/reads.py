"""The event that each read is: who asked which route, by which parameters, never for what."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import Scope

from activity_pipeline.api.callers import Caller
from activity_pipeline.api.routes import ROOT
from activity_pipeline.producer.logger import ActivityLogger

SOURCE = "activity_api"
ACTION = "api.read"
MOST_PARAMETERS = 32
_FIRST_FAILURE = 400
_LOG = logging.getLogger("activity_pipeline.api")


class ReadLog:
    """Logs reads; a read neither waits for it nor fails with it."""

    def __init__(self, enabled: bool) -> None:
        """Say whether reads are logged; `open` says where to."""
        self._enabled = enabled
        self._logger: ActivityLogger | None = None

    def open(self, logger: ActivityLogger) -> None:
        """Log from now on."""
        self._logger = logger

    def note(self, scope: Scope, route: str, status: int) -> None:
        """Log a request that has ended, if it was a read by somebody who is known."""
        caller = scope["state"].get("caller")
        is_read = caller is not None and scope["method"] == "GET" and route.startswith(ROOT)
        if not self._enabled or self._logger is None or not is_read:
            return
        try:
            self._logger.log(
                ACTION,
                entity_type="api_key",
                entity_id=caller.name,
                status="success" if status < _FIRST_FAILURE else "failure",
                metadata=_described(scope, caller, route, status),
            )
        except Exception as error:
            _LOG.warning("a read was not logged: %s", type(error).__name__)


def _described(scope: Scope, caller: Caller, route: str, status: int) -> dict[str, Any]:
    parameters = set(scope.get("path_params", {}))
    if status < _FIRST_FAILURE:
        # Only names that the route knows get here: it refuses others.
        pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        parameters |= {name for name, _ in pairs}
    return {
        "route": route,
        "parameters": sorted(parameters)[:MOST_PARAMETERS],
        "status_code": status,
        "request_id": scope["state"]["request_id"],
        "key_name": caller.label,
    }
