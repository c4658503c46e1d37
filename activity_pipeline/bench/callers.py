"""What an application can call to log one event: ours and the usual ways, each behind one signature."""

from __future__ import annotations

import contextlib
import logging
import logging.handlers
import queue
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import psycopg

from activity_pipeline.bench.servers import Servers
from activity_pipeline.events.ids import new_id
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.producer import ActivityLogger
from activity_pipeline.queue.connection import connect as connect_queue

_SQL = load_queries(__file__)

Call = Callable[[dict[str, Any]], object]
"""Logs an event of these fields."""

USERS = [str(UUID(int=number)) for number in range(1, 1001)]
_encode = msgspec.json.Encoder().encode


def fields(number: int) -> dict[str, Any]:
    """Return one event's fields, about 380 bytes as JSON."""
    return {
        "entity_type": "order",
        "entity_id": f"order-{number % 20_000}",
        "user_id": USERS[number % len(USERS)],
        "metadata": {
            "total": "129.90",
            "currency": "EUR",
            "items": number % 7,
            "client": {"device": "mobile", "locale": "en-GB", "city": "London"},
            "request_id": f"{number:08x}",
        },
    }


@contextlib.contextmanager
def activity_logger(servers: Servers, folder: Path) -> Iterator[Call]:
    """Ours, with Redis there."""
    with ActivityLogger(servers.stack.redis_url, source="bench", spool_dir=folder / "spool") as logger:
        yield lambda event: logger.log("order.paid", **event)


@contextlib.contextmanager
def activity_logger_without_redis(_: Servers, folder: Path) -> Iterator[Call]:
    """Ours, with nobody at Redis's address."""
    url = f"unix://{folder}/nobody.sock"
    with ActivityLogger(url, source="bench", spool_dir=folder / "spool") as logger:
        yield lambda event: logger.log("order.paid", **event)


@contextlib.contextmanager
def insert_each(servers: Servers, _: Path) -> Iterator[Call]:
    """An INSERT per event, committed, into a table with a primary key alone."""
    with (
        servers.fresh_database() as dsn,
        psycopg.connect(dsn, autocommit=True, prepare_threshold=0) as connection,
    ):
        connection.execute(_SQL["create_table"])

        def call(event: dict[str, Any]) -> object:
            row = {"id": new_id(), "action": "order.paid", **event}
            row["metadata"] = _encode(event["metadata"]).decode()
            return connection.execute(_SQL["insert"], row)

        yield call


@contextlib.contextmanager
def lpush_each(servers: Servers, _: Path) -> Iterator[Call]:
    """An LPUSH of its JSON per event."""
    with connect_queue(servers.stack.redis_url) as client:

        def call(event: dict[str, Any]) -> object:
            line = _encode({"id": new_id(), "action": "order.paid", "source": "bench", **event})
            return client.lpush("activity_queue", line)

        yield call
        client.delete("activity_queue")


@contextlib.contextmanager
def queue_handler(_: Servers, folder: Path) -> Iterator[Call]:
    """The standard library's QueueHandler; a listener writes to a file."""
    records: queue.SimpleQueue[Any] = queue.SimpleQueue()
    target = logging.FileHandler(folder / "events.log")
    listener = logging.handlers.QueueListener(records, target)
    logger = logging.Logger("bench")
    logger.addHandler(logging.handlers.QueueHandler(records))
    listener.start()

    def call(event: dict[str, Any]) -> None:
        line = _encode({"id": new_id(), "action": "order.paid", "source": "bench", **event})
        logger.info(line.decode())

    try:
        yield call
    finally:
        listener.stop()
        target.close()


class _Sink(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take everything."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def posthog_client(_: Servers, __: Path) -> Iterator[Call]:
    """PostHog's client, which queues in memory and posts batches from a thread, to a loopback sink."""
    import posthog  # noqa: PLC0415

    server = ThreadingHTTPServer(("127.0.0.1", 0), _Sink)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    client = posthog.Posthog(
        "phc_bench", host=f"http://127.0.0.1:{server.server_port}", max_queue_size=1_000_000, gzip=False
    )

    def call(event: dict[str, Any]) -> object:
        return client.capture("order.paid", distinct_id=event["user_id"], properties=event)

    try:
        yield call
    finally:
        client.shutdown()
        server.shutdown()
        server.server_close()


CALLERS: dict[str, Callable[[Servers, Path], contextlib.AbstractContextManager[Call]]] = {
    "log()": activity_logger,
    "log(), Redis stopped": activity_logger_without_redis,
    "INSERT each": insert_each,
    "LPUSH each": lpush_each,
    "QueueHandler to a file": queue_handler,
    "posthog client": posthog_client,
}
