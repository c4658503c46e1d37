"""The Django middleware, synchronous and asynchronous; Django's connection and the outbox."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any

import django
import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import AsyncClient, Client, override_settings
from django.urls import path
from psycopg.conninfo import conninfo_to_dict

from activity_pipeline.errors import EventError
from activity_pipeline.hot.connection import connect
from activity_pipeline.producer.integrations.django import ActivityMiddleware
from activity_pipeline.producer.outbox import log_in_transaction

from .conftest import USER, Log

current: dict[str, Any] = {}
"""What the module's views and middleware, which Django finds by name, work with in the running test."""


def order(request: HttpRequest, number: int) -> HttpResponse:
    current["log"].activity.log("order.read", entity_id=number)
    return HttpResponse("read")


async def order_async(request: HttpRequest, number: int) -> HttpResponse:
    await asyncio.sleep(0)
    return order(request, number)


def broken(request: HttpRequest) -> HttpResponse:
    raise ValueError("secret")


def stream(request: HttpRequest) -> StreamingHttpResponse:
    return StreamingHttpResponse(iter([b"a", b"b"]))


urlpatterns = [
    path("orders/<int:number>/", order),
    path("async/<int:number>/", order_async),
    path("broken/", broken),
    path("stream/", stream),
]


def middleware(get_response: Callable[[HttpRequest], Any]) -> Any:
    return ActivityMiddleware(current["log"].activity, **current["options"])(get_response)


middleware.sync_capable = middleware.async_capable = True  # type: ignore[attr-defined]


@pytest.fixture(scope="module", autouse=True)
def configured() -> None:
    settings.configure(
        ROOT_URLCONF=__name__,
        MIDDLEWARE=[f"{__name__}.middleware"],
        SECRET_KEY="test",
        ALLOWED_HOSTS=["*"],
        USE_TZ=True,
        LOGGING_CONFIG=None,
    )
    django.setup()


@pytest.fixture
def options(log: Log) -> Iterator[dict[str, Any]]:
    """The middleware's options, to be changed by the test."""
    current.update(log=log, options={})
    yield current["options"]
    current.clear()


def get(kind: str, url: str, **headers: str) -> int:
    """Ask a fresh synchronous or asynchronous application; return the status."""
    if kind == "wsgi":
        client = Client(raise_request_exception=False)
        client.handler._middleware_chain = None
        return int(client.get(url, headers=headers).status_code)

    async def ask() -> int:
        response = await AsyncClient(raise_request_exception=False).get(url, headers=headers)
        return int(response.status_code)

    return asyncio.run(ask())


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.parametrize("view", ["orders", "async"])
def test_a_request_leaves_one_event_and_binds_what_is_known(
    log: Log, options: dict[str, Any], kind: str, view: str
) -> None:
    options["user_id"] = lambda request: USER
    url = f"/{view}/7/?token=secret"
    assert get(kind, url, **{"X-Request-ID": "r1", "Authorization": "secret"}) == 200
    read, _ = log.events()
    assert (read["action"], read["user_id"], read["metadata"]) == ("order.read", USER, {"request_id": "r1"})
    assert log.requests() == [
        {
            "request_id": "r1",
            "method": "GET",
            "path": f"/{view}/7/",
            "route": f"/{view}/<int:number>/",
            "status_code": 200,
            "status": "success",
            "user_id": USER,
        }
    ]
    assert "secret" not in str(log.events())


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_failures_and_streams(log: Log, options: dict[str, Any], kind: str) -> None:
    options["skip"] = ["/skipped"]
    assert [get(kind, url) for url in ("/broken/", "/nowhere/", "/skipped/a/", "/stream/")] == [
        500,
        404,
        404,
        200,
    ]
    broken, nowhere, streamed = log.requests()
    assert (broken["status"], broken["error"], broken["status_code"]) == ("failure", "ValueError", 500)
    assert (nowhere["status"], nowhere["status_code"]) == ("failure", 404)
    assert streamed["status"] == "success"


def test_an_asynchronous_user(log: Log, options: dict[str, Any]) -> None:
    async def user_id(_: HttpRequest) -> int:
        await asyncio.sleep(0)
        return 7

    options["user_id"] = user_id
    get("asgi", "/async/1/")
    (request,) = log.requests()
    assert request["user"] == "7"


def test_django_finds_it_by_its_name(log: Log, options: dict[str, Any]) -> None:
    globals()["ready"] = ActivityMiddleware(log.activity)
    with override_settings(MIDDLEWARE=[f"{__name__}.ready"]):
        for handler in (WSGIHandler(), ASGIHandler()):
            assert handler._middleware_chain is not None
        assert get("wsgi", "/orders/1/") == 200
        assert get("asgi", "/orders/1/") == 200
    assert [request["status"] for request in log.requests()] == ["success"] * 2


def test_an_event_in_a_transaction_of_django(database: str) -> None:
    parts = conninfo_to_dict(database)
    connections.settings["outbox"] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts["dbname"],
        "USER": parts["user"],
        "HOST": parts["host"],
    }
    connections.settings = connections.configure_settings(connections.settings)
    connection = connections["outbox"]
    try:
        with transaction.atomic(using="outbox"):
            log_in_transaction(connection, "kept", source="100%")
            with pytest.raises(LookupError), transaction.atomic(using="outbox"):
                log_in_transaction(connection, "taken back", source="shop")
                raise LookupError
        with pytest.raises(EventError, match="no transaction"):
            log_in_transaction(connection, "on its own", source="shop")
    finally:
        connection.close()
    with connect(database) as observer:
        rows = observer.execute("select line from activity_outbox").fetchall()
    assert [json.loads(line)["action"] for (line,) in rows] == ["kept"]
