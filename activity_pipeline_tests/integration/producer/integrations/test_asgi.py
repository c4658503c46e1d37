"""The ASGI middleware around FastAPI and Starlette."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, HTTPException
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from activity_pipeline.producer.integrations.asgi import ActivityMiddleware

from .conftest import USER, Closed, Log


def fastapi(log: Log, **options: Any) -> FastAPI:
    app = FastAPI()

    @app.get("/orders/{number}")
    def order(number: int) -> dict[str, int]:
        log.activity.log("order.read", entity_id=number)
        return {"number": number}

    @app.get("/denied")
    async def denied() -> None:
        raise HTTPException(403)

    @app.get("/broken")
    async def broken() -> None:
        raise ValueError("secret")

    app.add_middleware(ActivityMiddleware, activity=log.activity, **options)
    return app


async def ask(app: Any, method: str, url: str, *, raises: bool = False, **options: Any) -> httpx.Response:
    transport = httpx.ASGITransport(app, raise_app_exceptions=raises)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as client:
        return await client.request(method, url, **options)


def get(app: Any, url: str, **options: Any) -> httpx.Response:
    return asyncio.run(ask(app, "GET", url, **options))


def test_a_request_leaves_one_event_and_binds_what_is_known(log: Log) -> None:
    app = fastapi(log, user_id=lambda scope: USER)
    response = get(app, "/orders/7?token=secret", headers={"X-Request-ID": "r-1", "Authorization": "secret"})
    assert response.json() == {"number": 7}
    inner, outer = log.events()
    assert inner == {
        "action": "order.read",
        "entity_id": "7",
        "user_id": USER,
        "status": "success",
        "metadata": {"request_id": "r-1"},
    }
    assert outer["metadata"].pop("duration_ms") >= 0
    assert outer == {
        "action": "http.request",
        "user_id": USER,
        "status": "success",
        "metadata": {
            "request_id": "r-1",
            "method": "GET",
            "path": "/orders/7",
            "route": "/orders/{number}",
            "status_code": 200,
        },
    }


@pytest.mark.parametrize("sent", [None, "", "a b", "x" * 129, "ä", "a\tb", "{}"])
def test_an_odd_request_id_is_replaced(log: Log, sent: str | None) -> None:
    get(fastapi(log), "/denied", headers={} if sent is None else {"X-Request-ID": sent.encode()})
    (request,) = log.requests()
    assert request["request_id"] != sent
    assert len(request["request_id"]) == 36


def test_failures(log: Log) -> None:
    app = fastapi(log)
    assert get(app, "/denied").status_code == 403
    assert get(app, "/nowhere").status_code == 404
    with pytest.raises(ValueError, match="secret"):
        asyncio.run(ask(app, "GET", "/broken", raises=True))
    denied, nowhere, broken = log.requests()
    assert [one["status"] for one in (denied, nowhere, broken)] == ["failure"] * 3
    assert (denied["status_code"], nowhere["status_code"], broken["status_code"]) == (403, 404, None)
    assert "route" not in nowhere
    assert broken["error"] == "ValueError"
    assert "secret" not in str(log.events())


def test_only_what_is_wanted_is_logged(log: Log) -> None:
    app = fastapi(log, skip=["/denied", "/orders/"], methods=["get"])
    for path in ("/denied", "/orders/1", "/orders/1/2", "/denied-not"):
        get(app, path)
    asyncio.run(ask(app, "POST", "/elsewhere"))
    assert [request["path"] for request in log.requests()] == ["/denied-not"]


def test_the_action_is_a_setting(log: Log) -> None:
    get(fastapi(log, action="shop.request"), "/denied")
    assert [event["action"] for event in log.events()] == ["shop.request"]


def test_a_path_that_would_break_the_event_is_escaped_and_cut(log: Log) -> None:
    app = fastapi(log)
    get(app, "/%00%0Aä")
    get(app, "/" + "x" * 5000)
    first, second = log.requests()
    assert first["path"] == "/%00%0A%C3%A4"
    assert len(second["path"]) == 1024


async def user_of(scope: Any) -> str | None:
    await asyncio.sleep(0)
    user: str | None = scope.get("user")
    return user


def _fails(_: Any) -> str:
    raise LookupError("nobody")


@pytest.mark.parametrize(
    ("user_id", "expected"),
    [
        (lambda scope: scope.get("user"), {"user": "7"}),
        (user_of, {"user": "7"}),
        (lambda scope: USER.upper(), {"user_id": USER}),
        (lambda scope: None, {}),
        (_fails, {}),
    ],
)
def test_users_also_those_found_further_in(
    log: Log, user_id: Callable[[Any], object], expected: dict[str, str]
) -> None:
    async def sign_in(request: Request) -> PlainTextResponse:
        request.scope["user"] = 7
        return PlainTextResponse("")

    app = ActivityMiddleware(Starlette(routes=[Route("/", sign_in)]), log.activity, user_id=user_id)
    get(app, "/")
    (request,) = log.requests()
    assert {name: request[name] for name in ("user", "user_id") if name in request} == expected


def test_a_body_streams_as_it_did(log: Log) -> None:
    async def stream(request: Request) -> StreamingResponse:
        received = [chunk async for chunk in request.stream() if chunk]

        async def parts() -> AsyncIterator[bytes]:
            for chunk in received:
                log.activity.log("part")
                yield chunk
            if b"fail" in received:
                raise ValueError

        return StreamingResponse(parts(), status_code=201)

    app = ActivityMiddleware(Starlette(routes=[Route("/", stream, methods=["POST"])]), log.activity)

    async def body(*parts: bytes) -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    response = asyncio.run(ask(app, "POST", "/", content=body(b"a", b"b")))
    assert (response.status_code, response.content) == (201, b"ab")
    asyncio.run(ask(app, "POST", "/", content=body(b"fail")))
    actions = [event["action"] for event in log.events()]
    assert actions == ["part", "part", "http.request", "part", "http.request"]
    assert [request["status"] for request in log.requests()] == ["success", "failure"]
    ids = [event["metadata"]["request_id"] for event in log.events()]
    assert (len(set(ids[:3])), len(set(ids[3:])), len(set(ids))) == (1, 1, 2)


def test_requests_side_by_side_do_not_mix(log: Log) -> None:
    async def wait(request: Request) -> JSONResponse:
        await asyncio.sleep(0)
        log.activity.log("inner", entity_id=request.query_params["n"])
        return JSONResponse({})

    app = ActivityMiddleware(Starlette(routes=[Route("/", wait)]), log.activity)

    async def many() -> None:
        await asyncio.gather(
            *(ask(app, "GET", f"/?n={n}", headers={"X-Request-ID": f"r{n}"}) for n in range(20))
        )

    asyncio.run(many())
    inner = [event for event in log.events() if event["action"] == "inner"]
    assert len(inner) == 20
    assert all(event["metadata"] == {"request_id": f"r{event['entity_id']}"} for event in inner)


def test_a_request_that_is_cancelled_is_a_failure(log: Log) -> None:
    async def hang(_: Request) -> PlainTextResponse:
        await asyncio.Event().wait()
        raise AssertionError("nobody sets it")

    app = ActivityMiddleware(Starlette(routes=[Route("/", hang)]), log.activity)

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(ask(app, "GET", "/"), 0.05)

    asyncio.run(give_up())
    (request,) = log.requests()
    assert (request["status"], request["error"]) == ("failure", "CancelledError")


def test_a_websocket_binds_and_leaves_no_event_of_its_own(log: Log) -> None:
    async def talk(socket: WebSocket) -> None:
        await socket.accept()
        log.activity.log("talked")
        await socket.close()

    app = ActivityMiddleware(Starlette(routes=[WebSocketRoute("/", talk)]), log.activity)
    messages: list[Any] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect"}

    async def send(message: Any) -> None:
        messages.append(message["type"])

    scope = {"type": "websocket", "path": "/", "headers": [(b"x-request-id", b"w1")], "subprotocols": []}
    asyncio.run(app(scope, receive, send))
    assert messages == ["websocket.accept", "websocket.close"]
    (event,) = log.events()
    assert event["metadata"] == {"request_id": "w1"}


def test_a_broken_logger_breaks_no_response(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    app = ActivityMiddleware(Starlette(), Closed())  # type: ignore[arg-type]
    assert get(app, "/").status_code == 404
    assert "a request was not logged" in caplog.text
