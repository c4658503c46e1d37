"""Alerts against a real HTTP sink on the loopback."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from activity_pipeline.alerts import Alert, send
from activity_pipeline.errors import AlertError

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise.*")

ALERT = Alert("Run of drain failed", "Postgres does not answer", "critical")


class Sink(HTTPServer):
    """Keeps what is posted; answers with `status`."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status = 200
        self.posted: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Sink

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append(json.loads(body))
        self.send_response(self.server.status)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_webhook_gets_the_alert_as_json(sink: Sink) -> None:
    assert send(ALERT, [sink.url]) == 1
    (posted,) = sink.posted
    assert (posted["title"], posted["message"], posted["type"]) == (ALERT.title, ALERT.body, "failure")


def test_one_channel_that_takes_it_is_enough(sink: Sink, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "activity_pipeline"):
        assert send(ALERT, ["http://127.0.0.1:9/closed?token=secret", sink.url]) == 1
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("activity_pipeline")]
    assert ours == ["channel 1 of 2 did not take the alert 'Run of drain failed'"]


def test_no_channel_that_takes_it_is_an_error(sink: Sink) -> None:
    sink.status = 500
    with pytest.raises(AlertError, match="none of 2 channels"):
        send(ALERT, [sink.url, "nonsense://x"])
    assert len(sink.posted) == 1


def test_nobody_to_tell_is_no_error() -> None:
    assert send(ALERT, []) == 0
