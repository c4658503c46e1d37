"""How large a request may be and how long its body may take, before any route sees it."""

from __future__ import annotations

import asyncio

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from activity_pipeline.api.problems import document, refusal
from activity_pipeline.errors import RequestError

BODY_TIMEOUT_S = 30.0
"""Longest that a body is on its way."""

MOST_QUERY_BYTES = 8 * 1024
"""Longest query string; the head of a request as a whole is the server's to limit."""


class Limits:
    """A layer that refuses what is too large or too slow."""

    def __init__(self, app: ASGIApp, max_body_bytes: int) -> None:
        """Wrap an application."""
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if len(scope["query_string"]) > MOST_QUERY_BYTES:
            refused = refusal("too-large", f"A query string has {MOST_QUERY_BYTES:,} bytes at the most.")
        elif declared.isdigit() and int(declared) > self._max_body_bytes:
            refused = self._too_large()
        else:
            await self._app(scope, self._counted(receive), send)
            return
        await document(refused, scope["state"]["request_id"])(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        deadline = asyncio.get_running_loop().time() + BODY_TIMEOUT_S
        size_bytes = 0
        complete = False

        async def counted() -> Message:
            nonlocal size_bytes, complete
            if complete:
                return await receive()
            try:
                async with asyncio.timeout_at(deadline):
                    message = await receive()
            except TimeoutError:
                detail = f"The body took longer than {BODY_TIMEOUT_S:g} s."
                raise refusal("too-slow", detail, {"connection": "close"}) from None
            size_bytes += len(message.get("body", b""))
            complete = not message.get("more_body", False)
            if size_bytes > self._max_body_bytes:
                raise self._too_large()
            return message

        return counted

    def _too_large(self) -> RequestError:
        detail = f"A body has {self._max_body_bytes:,} bytes at the most."
        return refusal("too-large", detail, {"connection": "close"})
