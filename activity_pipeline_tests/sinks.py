"""Where alerts go in tests: a real HTTP server and a real SMTP server on the loopback."""

from __future__ import annotations

import email
import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

CLOSED = "http://127.0.0.1:9/closed"
"""Nothing listens there."""


class Webhook(ThreadingHTTPServer):
    """Takes alerts; refuses the first `refusals` of them with `status`, and hangs while `hanging` is set.

    Attributes:
        on_taken: Called when it has taken one.
        taken: What it took.
        asked: The path of each request.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.refusals = 0
        self.status = 503
        self.on_taken: Callable[[], None] = lambda: None
        self.go_on = threading.Event()
        self.go_on.set()
        self.taken: list[dict[str, Any]] = []
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Webhook

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(self.path)
        self.server.go_on.wait(60.0)
        refused = self.server.refusals > 0
        self.server.refusals -= 1
        if not refused:
            self.server.taken.append(body)
            self.server.on_taken()
        self.send_response(self.server.status if refused else 200)
        self.end_headers()
        if not refused:
            self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing on stderr."""


@contextmanager
def webhook_sink() -> Iterator[Webhook]:
    """Serve until the end of the block."""
    with Webhook() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.go_on.set()
            server.shutdown()
            thread.join()


class Mailbox:
    """Takes mail; refuses the first `refusals` of it."""

    def __init__(self) -> None:
        self.refusals = 0
        self.taken: list[Message] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"mailto://127.0.0.1:{self.port}/?from=pipeline@example.org&to=ops@example.org"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self.refusals -= 1
        if self.refusals >= 0:
            return "451 try again later"
        content = envelope.content
        assert isinstance(content, bytes)
        self.taken.append(email.message_from_bytes(content))
        return "250 taken"


@contextmanager
def smtp_sink() -> Iterator[Mailbox]:
    """Serve until the end of the block."""
    mailbox = Mailbox()
    mailbox.port = free_port()  # aiosmtpd connects to its own port to start, so 0 will not do
    controller = Controller(mailbox, hostname="127.0.0.1", port=mailbox.port)
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def free_port() -> int:
    """Return a port of the loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def text_of(message: Message) -> str:
    """Return the plain text of a mail."""
    parts = [part for part in message.walk() if part.get_content_maintype() == "text"]
    payload = parts[0].get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()
