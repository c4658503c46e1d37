"""Middleware for ASGI applications: Starlette, FastAPI and others.

    app.add_middleware(ActivityMiddleware, activity=activity, skip=["/healthz"])

It passes on every message as it is, so bodies stream as they did without it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias, Unpack

from activity_pipeline.producer.context import bind
from activity_pipeline.producer.integrations.request import RequestLog, RequestOptions, find_user_async
from activity_pipeline.producer.logger import ActivityLogger

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


class ActivityMiddleware:
    """Binds request_id and user_id around each request and websocket; logs one event per request."""

    def __init__(self, app: Application, activity: ActivityLogger, **options: Unpack[RequestOptions]) -> None:
        """Wrap an application; `options` as in `RequestLog`, `user_id` is called with the scope."""
        self.app = app
        self.log = RequestLog(activity, **options)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; messages pass through as they are."""
        if scope["type"] not in {"http", "websocket"}:
            await self.app(scope, receive, send)
            return
        request_id = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1")
        exchange = self.log.begin(scope.get("method", ""), scope["path"], request_id)
        await find_user_async(self.log.user_id, exchange, scope)
        if scope["type"] == "websocket":
            with bind(**exchange.fields):
                await self.app(scope, receive, send)
            return

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status_code = message["status"]
            await send(message)

        with self.log.around(exchange):
            try:
                await self.app(scope, receive, noting)
            finally:
                exchange.route = getattr(scope.get("route"), "path", None)
                await find_user_async(self.log.user_id, exchange, scope)
