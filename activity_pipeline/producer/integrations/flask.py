"""The WSGI middleware for Flask, with its routes and its users.

    init_app(app, activity, user_id=lambda request: session.get("user_id"))

Where something else sets `request.user` or the like, call this after that was set up.
"""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request

from activity_pipeline.producer.context import bind, bound
from activity_pipeline.producer.integrations.request import Exchange, UserId, find_user
from activity_pipeline.producer.integrations.wsgi import EXCHANGE, ActivityMiddleware
from activity_pipeline.producer.logger import ActivityLogger


def init_app(app: Flask, activity: ActivityLogger, *, user_id: UserId | None = None, **options: Any) -> None:
    """Log the requests of a Flask application.

    Args:
        app: The application.
        activity: Where events go.
        user_id: Called with Flask's request, inside of its context.
        **options: As in `RequestLog`.
    """
    app.wsgi_app = ActivityMiddleware(app.wsgi_app, activity, **options)  # type: ignore[method-assign]

    @app.before_request
    def begin() -> None:
        if exchange := _exchange():
            exchange.route = request.url_rule.rule if request.url_rule else None
            find_user(user_id, exchange, request)
            with bind(**exchange.user):
                known = bound.get()
            # For good: the middleware gave this request a context of its own.
            bound.set(known)

    @app.after_request
    def know_better(response: Response) -> Response:
        if exchange := _exchange():
            find_user(user_id, exchange, request)
        return response

    @app.teardown_request
    def note_error(error: BaseException | None) -> None:
        if exchange := _exchange():
            exchange.error = error


def _exchange() -> Exchange | None:
    """Return the request under way; none where Flask's context was made without a server."""
    return request.environ.get(EXCHANGE)
