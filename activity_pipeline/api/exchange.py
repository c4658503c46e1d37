"""What surrounds every request: its id, security headers, figures, and an end without a stack trace."""

from __future__ import annotations

import logging
import time
import traceback

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activity_pipeline.api import figures
from activity_pipeline.api.problems import document, refusal
from activity_pipeline.api.reads import ReadLog
from activity_pipeline.producer.integrations.request import sane_request_id

_LOG = logging.getLogger("activity_pipeline.api")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

HEADERS = {
    # Nothing here is a page; a page brings a policy of its own.
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""What each answer carries that does not say otherwise."""


class Exchange:
    """The outermost layer of the application."""

    def __init__(self, app: ASGIApp, reads: ReadLog) -> None:
        """Wrap an application; `reads` is told of each request that has ended."""
        self._app = app
        self._reads = reads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        sent = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        request_id = sane_request_id(sent)
        scope["state"] = {**scope.get("state", {}), "request_id": request_id}
        status = ""

        async def dressed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                headers["x-request-id"] = request_id
            await send(message)

        figures.UNDER_WAY.inc()
        try:
            await self._app(scope, receive, dressed)
        except ClientDisconnect:
            status = figures.CLIENT_LEFT
        except Exception as error:
            # Its message is left out: it may quote what was sent.
            frames = "".join(traceback.format_tb(error.__traceback__))
            _LOG.error("request %s failed: %s\n%s", request_id, type(error).__name__, frames)
            if status:  # the answer has begun: all that is left is to cut it off
                raise
            failed = refusal(
                "internal-error", "Something went wrong here; the service's log names the request."
            )
            await document(failed, request_id)(scope, receive, dressed)
        finally:
            figures.UNDER_WAY.dec()
            route = getattr(scope.get("route"), "path", "unmatched")
            method = scope["method"] if scope["method"] in _METHODS else "other"
            status = status or figures.CLIENT_LEFT
            figures.REQUESTS.labels(method, route, status).inc()
            figures.SECONDS.labels(method, route).observe(time.perf_counter() - started)
            self._reads.note(scope, route, int(status))
