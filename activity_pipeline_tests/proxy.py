"""An HTTP proxy in front of a real server, which spoils the answers that it is told to."""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Literal
from urllib.parse import urlsplit

Action = Literal["500", "503", "refuse", "lose", "tear up", "tear down", "stall"] | Callable[[], None]
"""Answer so; close before the server sees the request; after it has; after half of the request; after
half of the answer; after a time without an answer; or do something and close."""

STALL_S = 5.0


@dataclass
class Fault:
    """What happens to the next requests that match: how often, to which method, to which target."""

    action: Action
    times: int
    method: str
    target: re.Pattern[str]


class Proxy:
    """Passes requests on to a server, but for those that a fault matches.

    Attributes:
        endpoint: Its URL.
        seen: Method, target and fault (or nothing) of every request.
    """

    def __init__(self, upstream: str) -> None:
        address = urlsplit(upstream)
        self.upstream = (str(address.hostname), int(address.port or 80))
        self.faults: list[Fault] = []
        self.seen: list[tuple[str, str, str]] = []
        self.lock = threading.Lock()
        self.ended = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"

    def inject(self, action: Action, times: int = 1, *, method: str = "", target: str = "") -> None:
        """Spoil the next requests whose method is this one and whose target has this pattern."""
        self.faults.append(Fault(action, times, method, re.compile(target)))

    def take(self, method: str, target: str) -> Action | Literal[""]:
        """Note a request, and return what should happen to it."""
        with self.lock:
            for fault in self.faults:
                if fault.times and fault.method in {"", method} and fault.target.search(target):
                    fault.times -= 1
                    self.seen.append((method, target, str(fault.action)))
                    return fault.action
            self.seen.append((method, target, ""))
            return ""

    def count(self, method: str = "", target: str = "") -> int:
        """Return how many such requests were seen."""
        return sum(m == method or not method for m, t, _ in self.seen if re.search(target, t))


@contextlib.contextmanager
def proxy(upstream: str) -> Iterator[Proxy]:
    """Run a proxy in threads of this process."""
    running = Proxy(upstream)
    thread = threading.Thread(target=running.server.serve_forever, args=(0.02,), name="proxy")
    thread.start()
    try:
        yield running
    finally:
        running.ended.set()
        running.server.shutdown()
        thread.join()
        running.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    proxy: Proxy

    def _pass(self) -> None:
        action = self.proxy.take(self.command, self.path)
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if action in {"500", "503"}:
            self.send_response(int(str(action)))
            self.send_header("content-length", "0")
            self.end_headers()
            return
        if callable(action):
            action()
        elif action == "stall":
            self.proxy.ended.wait(STALL_S)
        elif action == "tear up":
            self._send_half(body)
        elif action != "refuse":
            with contextlib.suppress(OSError, http.client.HTTPException):
                status, headers, content = self._ask(body)
                if action != "lose":
                    self._answer(status, headers, content, torn=action == "tear down")
                if not action:
                    return
        self._reset()

    def _ask(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        upstream = http.client.HTTPConnection(*self.proxy.upstream, timeout=30)
        with contextlib.closing(upstream):
            upstream.request(self.command, self.path, body, dict(self.headers.items()))
            answer = upstream.getresponse()
            content = answer.read()
            length = (
                (answer.getheader("content-length") or "") if self.command == "HEAD" else str(len(content))
            )
            own = {"transfer-encoding", "connection", "content-length"}
            headers = [(name, value) for name, value in answer.getheaders() if name.lower() not in own]
            return answer.status, [*headers, ("content-length", length)], content

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes, *, torn: bool) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content[: len(content) // 2] if torn else content)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _pass  # noqa: N815

    def _send_half(self, body: bytes) -> None:
        """Send the server a request whose body ends in the middle."""
        with socket.create_connection(self.proxy.upstream) as upstream:
            head = f"{self.command} {self.path} HTTP/1.1\r\n{self.headers.as_string()}"
            upstream.sendall(head.replace("\n", "\r\n").replace("\r\r", "\r").encode())
            upstream.sendall(body[: len(body) // 2])

    def _reset(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, *_: object) -> None:
        pass
