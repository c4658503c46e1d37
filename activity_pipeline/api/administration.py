"""What administrators change over HTTP: one thing at a time, in a thread, and each an event itself."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import anyio
import anyio.to_thread
from fastapi import Request

from activity_pipeline.api.callers import Caller, backends_of
from activity_pipeline.api.problems import refusal
from activity_pipeline.errors import ActivityError, ArchiveError, StoreBusyError, StoreError

if TYPE_CHECKING:
    from activity_pipeline.api.backends import Backends

T = TypeVar("T")
_LOG = logging.getLogger("activity_pipeline.api")


class Administration:
    """Runs what administrators ask for."""

    def __init__(self) -> None:
        """Prepare to run one thing at a time: each of them takes memory and bandwidth as it likes."""
        self._limiter = anyio.CapacityLimiter(1)

    async def run(self, work: Callable[[], T]) -> T:
        """Run `work` in a thread once it is its turn.

        Raises:
            RequestError: The archive or Postgres cannot do it now, with the reason.
        """
        try:
            return await anyio.to_thread.run_sync(work, limiter=self._limiter)
        except (ArchiveError, StoreBusyError) as error:
            raise refusal("conflict", str(error)) from error
        except StoreError as error:
            _LOG.warning("Postgres is away: %s", type(error).__name__)
            raise refusal("unavailable", "Postgres does not answer now.", {"retry-after": "5"}) from error


def administration(request: Request) -> Administration:
    """Return what runs the changes of this process."""
    running: Administration = backends_of(request).administration
    return running


def note_change(backends: Backends, caller: Caller, what: str, **metadata: Any) -> None:
    """Log that somebody changed something, `api.<what>`; it is done, and does not fail with its event."""
    try:
        backends.forwarder.logger.log(
            f"api.{what}",
            entity_type="api_key",
            entity_id=caller.name,
            metadata={"key_name": caller.label, **metadata},
        )
    except ActivityError as error:
        _LOG.warning("a change was not logged: %s", type(error).__name__)
