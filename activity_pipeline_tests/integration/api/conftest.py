"""A real server on loopback: uvicorn in a thread of the test, as `activity-pipeline api` configures it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
import msgspec
import pytest
import uvicorn

from activity_pipeline.api.app import create_app
from activity_pipeline.api.keys import make_key
from activity_pipeline.api.server import options
from activity_pipeline.hot.api_keys import ApiKey, NewKey, Scope, add_key
from activity_pipeline.hot.connection import Statements
from activity_pipeline.settings import Settings
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.waiting import wait_for


@dataclass
class Api:
    """A running API and a client of it.

    Attributes:
        url: Its root.
        client: Without a key.
        settings: What it was started with.
    """

    url: str
    client: httpx.Client
    settings: Settings
    running: Running
    server: uvicorn.Server = field(repr=False)

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def get(self, path: str, key: str | None = None, **parameters: Any) -> httpx.Response:
        """GET below /api/v1."""
        return self.client.get(f"/api/v1{path}", params=parameters, headers=bearer(key))

    def post(
        self, body: object, key: str | None = None, *, media_type: str = "application/json", **headers: str
    ) -> httpx.Response:
        """POST activities; bytes as they are, anything else as JSON."""
        content = body if isinstance(body, bytes) else msgspec.json.encode(body)
        sent = {"content-type": media_type, **bearer(key), **headers}
        return self.client.post("/api/v1/activities", content=content, headers=sent)

    def key(self, *scopes: Scope, **fields: Any) -> str:
        """Make a key; return its text."""
        return new_key(self.running.statements, *scopes, **fields)[0]

    def reads(self) -> list[dict[str, Any]]:
        """Drain, and return the events of reads."""
        assert self.server.started
        self.running.drain()
        rows = self.running.statements.execute(
            "select entity_id, status, metadata from activity_logs where source = 'activity_api' "
            "and action = 'api.read' order by timestamp"
        )
        return [{"entity_id": each, "status": status, **metadata} for each, status, metadata in rows]


def bearer(key: str | None) -> dict[str, str]:
    return {} if key is None else {"authorization": f"Bearer {key}"}


def new_key(connection: Statements, *scopes: Scope, **fields: Any) -> tuple[str, ApiKey]:
    """Store a key; return its text and its row."""
    secret = make_key()
    row = add_key(
        connection,
        NewKey(
            **{
                "prefix": secret.prefix,
                "secret_sha256": secret.sha256,
                "scopes": scopes or ("read", "write"),
                "name": "test",
                "requests_per_s": 10_000.0,
                "burst": 10_000,
                "created_by": "test",
                **fields,
            }
        ),
    )
    return secret.text, row


@contextlib.contextmanager
def serving(running: Running, **changes: Any) -> Iterator[Api]:
    """Serve the pipeline of a test; the settings with changes."""
    settings = msgspec.structs.replace(running.settings, **changes)
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1024)
        config = uvicorn.Config(create_app(settings), lifespan="on", **options())
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([listener],), name="api")
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            wait_for("the API", lambda: server.started or not thread.is_alive())
            assert server.started
            with httpx.Client(base_url=url, timeout=30) as client:
                yield Api(url, client, settings, running, server)
        finally:
            server.should_exit = True
            thread.join(30)
            assert not thread.is_alive()


@pytest.fixture
def api(running: Running) -> Iterator[Api]:
    """An API to which everybody on this machine may talk without a key."""
    with serving(running, api_keyless=True) as api:
        yield api


@pytest.fixture
def closed(running: Running) -> Iterator[Api]:
    """An API that wants a key from everybody."""
    with serving(running) as api:
        yield api


def now() -> datetime:
    return datetime.now(UTC)
