"""Middleware for WSGI applications.

    application = ActivityMiddleware(application, activity, skip=["/healthz"])

It logs when the body has ended, which it passes on part by part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Unpack

from activity_pipeline.producer.context import bind
from activity_pipeline.producer.integrations.request import RequestLog, RequestOptions, find_user
from activity_pipeline.producer.logger import ActivityLogger

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

EXCHANGE = "activity_pipeline.exchange"
"""Key of the environment under which the request under way is found."""


class ActivityMiddleware:
    """Binds request_id and user_id around each request, its body included; logs one event for it."""

    def __init__(
        self, app: WSGIApplication, activity: ActivityLogger, **options: Unpack[RequestOptions]
    ) -> None:
        """Wrap an application; `options` as in `RequestLog`, `user_id` is called with the environment."""
        self.app = app
        self.log = RequestLog(activity, **options)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request; head and body pass through as they are."""
        path = f"{environ.get('SCRIPT_NAME', '')}{environ.get('PATH_INFO', '')}".encode("latin-1", "replace")
        exchange = self.log.begin(environ["REQUEST_METHOD"], path, environ.get("HTTP_X_REQUEST_ID", ""))
        environ[EXCHANGE] = exchange
        find_user(self.log.user_id, exchange, environ)
        with bind(**exchange.fields):
            # The server takes the body after this has returned, maybe in turns with other requests.
            context = copy_context()

        def noting(status: str, headers: list[tuple[str, str]], *exception: Any) -> Callable[[bytes], object]:
            exchange.status_code = int(status[:3])
            return start_response(status, headers, *exception)

        def end(error: BaseException | None) -> None:
            exchange.error = error or exchange.error
            find_user(self.log.user_id, exchange, environ)
            self.log.end(exchange)

        try:
            body = context.run(self.app, environ, noting)
        except BaseException as error:
            context.run(end, error)
            raise
        if _is_whole(body, environ):
            context.run(end, None)
            return body
        return _Body(body, context, end)


def _is_whole(body: Iterable[bytes], environ: WSGIEnvironment) -> bool:
    """Whether the server should get the body itself: it looks at lists and sends files in its own way."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(body, list | tuple) or (isinstance(wrapper, type) and isinstance(body, wrapper))


class _Body:
    """A response's body that knows when it has ended."""

    def __init__(
        self, body: Iterable[bytes], context: Context, end: Callable[[BaseException | None], None]
    ) -> None:
        self.body = body
        self.parts: Iterator[bytes] | None = None
        self.context = context
        self.end: Callable[[BaseException | None], None] | None = end

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        try:
            if self.parts is None:
                self.parts = self.context.run(iter, self.body)
            return self.context.run(next, self.parts)
        except StopIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise

    def close(self) -> None:
        error: BaseException | None = None
        try:
            if close := getattr(self.body, "close", None):
                self.context.run(close)
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        end, self.end = self.end, None
        if end is not None:
            self.context.run(end, error)
