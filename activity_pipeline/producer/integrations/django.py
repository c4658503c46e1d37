"""Middleware for Django, synchronous and asynchronous.

    # shop/audit.py
    middleware = ActivityMiddleware(activity, user_id=lambda request: request.user.pk)
    # settings.py
    MIDDLEWARE = [..., "shop.audit.middleware"]

It stands behind the middlewares whose work `user_id` needs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Unpack

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest, HttpResponseBase

from activity_pipeline.producer.integrations.request import (
    Exchange,
    RequestLog,
    RequestOptions,
    find_user,
    find_user_async,
)
from activity_pipeline.producer.logger import ActivityLogger

_EXCHANGE = "_activity_exchange"


class ActivityMiddleware:
    """Binds request_id and user_id around each request; logs one event when its response is made."""

    sync_capable = True
    async_capable = True

    def __init__(self, activity: ActivityLogger, **options: Unpack[RequestOptions]) -> None:
        """Take `options` as in `RequestLog`; `user_id` is called with Django's request."""
        self.log = RequestLog(activity, **options)

    def __call__(self, get_response: Callable[[HttpRequest], Any]) -> _Middleware:
        """Do what Django asks of an entry of MIDDLEWARE."""
        return _Middleware(self.log, get_response)


class _Middleware:
    """One place in the chain."""

    def __init__(self, log: RequestLog, get_response: Callable[[HttpRequest], Any]) -> None:
        self.log = log
        self.get_response = get_response
        self.is_async = iscoroutinefunction(get_response)
        if self.is_async:
            markcoroutinefunction(self)

    def __call__(self, request: HttpRequest) -> HttpResponseBase | Awaitable[HttpResponseBase]:
        return self._serve_async(request) if self.is_async else self._serve(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> None:
        """Note what a view raised: Django makes a response of it before it comes by."""
        getattr(request, _EXCHANGE).error = error

    def _serve(self, request: HttpRequest) -> HttpResponseBase:
        exchange = self._begin(request)
        find_user(self.log.user_id, exchange, request)
        with self.log.around(exchange):
            response: HttpResponseBase = self.get_response(request)
            _note(response, exchange, request)
            find_user(self.log.user_id, exchange, request)
            return response

    async def _serve_async(self, request: HttpRequest) -> HttpResponseBase:
        exchange = self._begin(request)
        await find_user_async(self.log.user_id, exchange, request)
        with self.log.around(exchange):
            response: HttpResponseBase = await self.get_response(request)
            _note(response, exchange, request)
            await find_user_async(self.log.user_id, exchange, request)
            return response

    def _begin(self, request: HttpRequest) -> Exchange:
        exchange = self.log.begin(request.method or "", request.path, request.headers.get("X-Request-ID", ""))
        setattr(request, _EXCHANGE, exchange)
        return exchange


def _note(response: HttpResponseBase, exchange: Exchange, request: HttpRequest) -> None:
    exchange.status_code = response.status_code
    if request.resolver_match is not None:
        exchange.route = f"/{request.resolver_match.route}"
