"""The process: uvicorn with limits of its own, one worker or several."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from activity_pipeline.settings import Settings

HEAD_TIMEOUT_S = 20.0
"""Longest that the head of a request is on its way."""

STALL_TIMEOUT_S = 60.0
"""Longest that a client takes nothing of an answer that waits for it."""

MOST_CONNECTIONS = 1000
MOST_HEAD_BYTES = 32 * 1024
GRACE_S = 10


class PatientProtocol(H11Protocol):
    """HTTP/1.1 that closes the connection of whoever stops halfway through a head or an answer.

    h11 and not httptools, because it limits the size of a head.
    """

    _head_timer: asyncio.TimerHandle | None = None
    _stall_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        """Go on waiting for a head, or stop waiting for one."""
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        for timer in (self._head_timer, self._stall_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the client to take what there is."""
        super().pause_writing()
        self._stall_timer = self.loop.call_later(STALL_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Stop waiting for it."""
        super().resume_writing()
        if self._stall_timer is not None:
            self._stall_timer.cancel()

    def _watch_head(self) -> None:
        if self.conn.their_state is not h11.IDLE:
            if self._head_timer is not None:
                self._head_timer.cancel()
                self._head_timer = None
        elif self._head_timer is None:
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self.transport.abort)


def serve(settings: Settings) -> None:
    """Serve until a signal comes; requests under way are finished first.

    Args:
        settings: With the addresses of Postgres and Redis. Workers get them by their environment.
    """
    os.environ.update(settings.environment())
    if settings.api_workers > 1:
        # prometheus_client looks for it when it is first imported, in each worker.
        folder = settings.shared_figures
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(mode=0o700, parents=True)
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
    logging.basicConfig(format="%(asctime)s %(levelname)s %(message)s", level=logging.WARNING)
    uvicorn.run(
        "activity_pipeline.api.app:app_of_environment",
        factory=True,
        host=settings.api_host,
        port=settings.api_port,
        workers=settings.api_workers,
        **options(),
    )


def options() -> dict[str, Any]:
    """Return the options of uvicorn that do not depend on settings."""
    return {
        "http": PatientProtocol,
        "ws": "none",
        # Whoever may send X-Forwarded-For could pretend to be on this machine.
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "log_level": "warning",
        "limit_concurrency": MOST_CONNECTIONS,
        "h11_max_incomplete_event_size": MOST_HEAD_BYTES,
        "timeout_graceful_shutdown": GRACE_S,
    }
