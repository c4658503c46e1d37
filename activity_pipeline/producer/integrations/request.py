"""What the middlewares share: what is bound while a request goes on, and the one event it leaves.

Query strings, bodies and headers are never read, because that is where secrets are. Nothing that
goes wrong in here reaches the application: it is a warning of the logger `activity_pipeline`.
"""

from __future__ import annotations

import inspect
import logging
import re
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypedDict
from urllib.parse import quote
from uuid import UUID

from activity_pipeline.events.ids import new_id
from activity_pipeline.producer.context import bind
from activity_pipeline.producer.logger import ActivityLogger

_LOG = logging.getLogger("activity_pipeline")
_SANE_REQUEST_ID = re.compile(r"[\w.:+/=@-]{1,128}", re.ASCII)
_PATH_CHARACTERS = "/:@!$&'()*+,;=~"
_MAX_CHARACTERS = 1024
_FIRST_FAILURE = 400

UserId = Callable[[Any], object]
"""From the framework's request to the id of its user; None where nobody is signed in."""


class RequestOptions(TypedDict, total=False):
    """The options of every middleware; see `RequestLog`."""

    action: str
    user_id: UserId | None
    skip: Collection[str]
    methods: Collection[str] | None


@dataclass(slots=True)
class Exchange:
    """A request under way.

    Attributes:
        method: GET, POST, ….
        path: As in the URL, percent-encoded.
        request_id: The client's where it sent a sane one, else a new UUIDv7.
        user: Its user, as the field `user_id` where that is a UUID, else as `user` of the metadata.
        route: The pattern that the path matched, where the framework tells.
        status_code: Of the response; None until it begins.
        error: The exception that ended it.
        started: Instant on the monotonic clock, seconds.
    """

    method: str
    path: str
    request_id: str
    user: dict[str, str] = field(default_factory=dict)
    route: str | None = None
    status_code: int | None = None
    error: BaseException | None = None
    started: float = field(default_factory=time.perf_counter)

    @property
    def fields(self) -> dict[str, str]:
        """What is bound while it goes on."""
        return {"request_id": self.request_id, **self.user}


class RequestLog:
    """The settings of a middleware, and what it does with them."""

    def __init__(
        self,
        activity: ActivityLogger,
        *,
        action: str = "http.request",
        user_id: UserId | None = None,
        skip: Collection[str] = (),
        methods: Collection[str] | None = None,
    ) -> None:
        """Take the settings.

        Args:
            activity: Where events go.
            action: Of each request's event.
            user_id: Called with the framework's request when it begins, and once more at its end
                where nobody was known then; None for no users.
            skip: Paths that leave no event, with all below them.
            methods: The only methods that leave an event; None for all.
        """
        self.activity = activity
        self.action = action
        self.user_id = user_id
        self.skip = tuple(_quoted(path.rstrip("/") or "/") for path in skip)
        self.methods = None if methods is None else frozenset(method.upper() for method in methods)

    def begin(self, method: str, path: str | bytes, request_id: str) -> Exchange:
        """Note that a request begins.

        Args:
            method: GET, POST, ….
            path: Decoded.
            request_id: The header X-Request-ID, empty where there is none.
        """
        return Exchange(
            method=method[:_MAX_CHARACTERS],
            path=_quoted(path)[:_MAX_CHARACTERS],
            request_id=sane_request_id(request_id),
        )

    @contextmanager
    def around(self, exchange: Exchange) -> Iterator[None]:
        """Bind what is known of the request, and log it at the end of the block."""
        with bind(**exchange.fields):
            try:
                yield
            except BaseException as error:
                exchange.error = error
                raise
            finally:
                self.end(exchange)

    def wants(self, exchange: Exchange) -> bool:
        """Whether the request leaves an event."""
        if self.methods is not None and exchange.method not in self.methods:
            return False
        return not any(exchange.path == path or exchange.path.startswith(f"{path}/") for path in self.skip)

    def end(self, exchange: Exchange) -> None:
        """Log the request, once, inside of what binds `Exchange.fields`."""
        if not self.wants(exchange):
            return
        metadata: dict[str, Any] = {
            "method": exchange.method,
            "path": exchange.path,
            "status_code": exchange.status_code,
            "duration_ms": round((time.perf_counter() - exchange.started) * 1000, 3),
        }
        if exchange.route is not None:
            metadata["route"] = exchange.route
        if "user" in exchange.user:
            metadata["user"] = exchange.user["user"]
        if exchange.error is not None:
            # Its class alone: messages quote what they were given.
            metadata["error"] = type(exchange.error).__name__
        failed = (
            exchange.error is not None
            or exchange.status_code is None
            or exchange.status_code >= _FIRST_FAILURE
        )
        try:
            self.activity.log(
                self.action,
                user_id=exchange.user.get("user_id"),
                status="failure" if failed else "success",
                metadata=metadata,
            )
        except Exception as error:
            _LOG.warning("a request was not logged: %r", error)


def sane_request_id(sent: str) -> str:
    """Return the id that a client gave its request, or a new one where it gave none that is sane."""
    return sent if _SANE_REQUEST_ID.fullmatch(sent) else new_id()


def find_user(user_id: UserId | None, exchange: Exchange, request: Any) -> None:
    """Ask for the request's user, unless known."""
    if user_id is None or exchange.user:
        return
    try:
        found = user_id(request)
        if inspect.iscoroutine(found):
            found.close()
            raise TypeError("it is asynchronous and the application is not")
        exchange.user = user_fields(found)
    except Exception as error:
        _LOG.warning("user_id failed: %r", error)


async def find_user_async(user_id: UserId | None, exchange: Exchange, request: Any) -> None:
    """Do the same where `user_id` may be asynchronous."""
    if user_id is None or exchange.user:
        return
    try:
        found = user_id(request)
        exchange.user = user_fields(await found if inspect.isawaitable(found) else found)
    except Exception as error:
        _LOG.warning("user_id failed: %r", error)


def _quoted(path: str | bytes) -> str:
    raw = path.encode(errors="replace") if isinstance(path, str) else path
    return quote(raw, safe=_PATH_CHARACTERS)


def user_fields(found: object) -> dict[str, str]:
    """Return a user's id as the field `user_id` where it is a UUID, else as `user` of the metadata."""
    if found is None:
        return {}
    try:
        return {"user_id": str(UUID(str(found)))}
    except ValueError:
        return {"user": str(found)[:_MAX_CHARACTERS]}
