"""The WSGI middleware by itself and in Flask."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import flask
import pytest
from werkzeug.test import Client, EnvironBuilder

from activity_pipeline.producer.integrations.flask import init_app
from activity_pipeline.producer.integrations.wsgi import ActivityMiddleware

from .conftest import USER, Closed, Log


@pytest.fixture
def app(log: Log) -> flask.Flask:
    app = flask.Flask(__name__)
    app.secret_key = "test"

    @app.get("/orders/<int:number>")
    def order(number: int) -> str:
        log.activity.log("order.read", entity_id=number)
        return "read"

    @app.post("/sign-in")
    def sign_in() -> str:
        flask.session["user"] = USER
        return "in"

    @app.get("/broken")
    def broken() -> str:
        raise ValueError("secret")

    @app.get("/stream")
    def stream() -> flask.Response:
        def parts() -> Iterator[str]:
            for part in "ab":
                log.activity.log(f"part of {flask.request.path}")
                yield part

        return flask.Response(flask.stream_with_context(parts()))

    init_app(app, log.activity, user_id=lambda request: flask.session.get("user"), skip=["/static"])
    return app


def test_flask_tells_route_and_user(log: Log, app: flask.Flask) -> None:
    client = app.test_client()
    client.post("/sign-in?token=secret", headers={"X-Request-ID": "r1"}, buffered=True)
    client.get("/orders/7", headers={"X-Request-ID": "r2", "Authorization": "secret"}, buffered=True)
    client.get("/nowhere", buffered=True)
    client.get("/static/nothing", buffered=True)
    read = next(event for event in log.events() if event["action"] == "order.read")
    assert (read["user_id"], read["metadata"]) == (USER, {"request_id": "r2"})
    signed_in, order, nowhere = log.requests()
    assert order == {
        "request_id": "r2",
        "method": "GET",
        "path": "/orders/7",
        "route": "/orders/<int:number>",
        "status_code": 200,
        "status": "success",
        "user_id": USER,
    }
    assert (signed_in["user_id"], signed_in["route"]) == (USER, "/sign-in")
    assert (nowhere["status_code"], nowhere["status"]) == (404, "failure")
    assert "secret" not in str(log.events())


@pytest.mark.parametrize("propagate", [True, False])
def test_flask_exceptions(log: Log, app: flask.Flask, propagate: bool) -> None:
    app.config["PROPAGATE_EXCEPTIONS"] = propagate
    if propagate:
        with pytest.raises(ValueError, match="secret"):
            app.test_client().get("/broken", buffered=True)
    else:
        assert app.test_client().get("/broken", buffered=True).status_code == 500
    (request,) = log.requests()
    assert (request["status"], request["error"]) == ("failure", "ValueError")
    assert request["status_code"] == (None if propagate else 500)


def test_what_is_logged_while_a_body_streams_belongs_to_the_request(log: Log, app: flask.Flask) -> None:
    response = app.test_client().get("/stream", headers={"X-Request-ID": "r1"}, buffered=True)
    assert response.text == "ab"
    events = log.events()
    assert [event["action"] for event in events] == ["part of /stream", "part of /stream", "http.request"]
    assert {event["metadata"]["request_id"] for event in events} == {"r1"}


def test_flask_contexts_without_a_server_are_left_alone(log: Log, app: flask.Flask) -> None:
    with app.test_request_context("/orders/7"):
        app.preprocess_request()
        log.activity.log("job")
    (event,) = log.events()
    assert "metadata" not in event
    with app.test_client() as client:
        client.get("/orders/7", buffered=True)
        assert flask.request.path == "/orders/7"
    assert len(log.requests()) == 1


def serve(application: Any, **environ: Any) -> tuple[Iterable[bytes], list[str]]:
    """Call an application as a server does; return its body as it came, and the status."""
    statuses: list[str] = []

    def start_response(status: str, headers: Any, *_: Any) -> Any:
        statuses.append(status)
        return statuses.append

    return application(EnvironBuilder(**environ).get_environ(), start_response), statuses


def test_a_plain_application_within_the_letter_of_the_protocol(log: Log) -> None:
    def plain(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("201 Created", [("Content-Type", "text/plain")])
        return iter([b"a", b"b"])

    checked = validator(ActivityMiddleware(validator(plain), log.activity, user_id=lambda environ: "root"))
    response = Client(checked).get("/a b")
    assert (response.status_code, response.data) == (201, b"ab")
    response.close()
    (request,) = log.requests()
    assert (request["path"], request["status_code"], request["user"]) == ("/a%20b", 201, "root")


def test_lists_and_files_reach_the_server_as_they_are(log: Log) -> None:
    file = FileWrapper(io.BytesIO(b"content"))
    for body in ([b"a"], (b"a",), file):

        def whole(environ: Any, start_response: Any, body: Any = body) -> Any:
            start_response("200 OK", [])
            return body

        served, _ = serve(
            ActivityMiddleware(whole, log.activity), environ_overrides={"wsgi.file_wrapper": FileWrapper}
        )
        assert served is body
    file.close()
    assert [request["status"] for request in log.requests()] == ["success"] * 3


def test_a_body_that_fails_and_one_that_is_left(log: Log) -> None:
    def parts(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        if environ["PATH_INFO"] == "/fails":
            raise OSError("disk")
        yield b"b"

    served, statuses = serve(ActivityMiddleware(parts, log.activity), path="/fails")
    with pytest.raises(OSError, match="disk"):
        list(served)
    served.close()  # type: ignore[attr-defined]
    left, _ = serve(ActivityMiddleware(parts, log.activity), path="/left")
    assert next(iter(left)) == b"a"
    left.close()  # type: ignore[attr-defined]
    assert statuses == ["200 OK"]
    failed, stopped = log.requests()
    assert (failed["status"], failed["error"]) == ("failure", "OSError")
    assert (stopped["status"], stopped["status_code"]) == ("success", 200)


async def _later(_: Any) -> str:
    raise AssertionError("nobody awaits it")


def test_nothing_of_ours_breaks_a_response(caplog: pytest.LogCaptureFixture) -> None:
    def plain(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [b"a"]

    broken = ActivityMiddleware(plain, Closed(), user_id=_later)  # type: ignore[arg-type]
    served, statuses = serve(broken)
    assert (list(served), statuses) == ([b"a"], ["200 OK"])
    assert "user_id failed" in caplog.text
    assert "a request was not logged" in caplog.text
