"""Passing on events that others sent, for a service that answers for them: kept, or said not to be."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from activity_pipeline.errors import DeliveryTimeoutError
from activity_pipeline.producer.asynchronous import AsyncActivityLogger
from activity_pipeline.producer.logger import WAIT_TIMEOUT_S, ActivityLogger
from activity_pipeline.producer.stats import DropReason, dropped


class _ForwardingLogger(ActivityLogger):
    """A logger that takes lines of any source, all of them or none."""

    def start_forwarding(self, lines: Sequence[bytes]) -> Callable[[], bool]:
        """Log lines; return what tells whether Redis or the spool has all of them."""
        end = DropReason.CLOSED if self._closed else self._buffer.add_and_cut(lines)
        if isinstance(end, DropReason):
            raise dropped(end)
        self._delivery.attend()
        buffer = self._buffer
        return lambda: buffer.kept >= end


class Forwarder(AsyncActivityLogger):
    """An AsyncActivityLogger that passes on the lines of others, too."""

    def __init__(self, url: str | None = None, *, source: str, **options: Any) -> None:
        """Prepare to log; see `ActivityLogger` for the arguments."""
        self._forwarding = _ForwardingLogger(url, source=source, **options)
        self.logger = self._forwarding

    async def forward(self, lines: Sequence[bytes], timeout_s: float = WAIT_TIMEOUT_S) -> None:
        """Log lines and wait until Redis has all of them, or the spool where Redis is away.

        Args:
            lines: At least one event, each one NDJSON line without its line ending, together a few
                MiB at the most.
            timeout_s: How long to wait, in seconds.

        Raises:
            EventError: None was taken; `reason` says why.
            DeliveryTimeoutError: They are still on their way: sent once more under the same ids and
                timestamps they are stored once.
        """
        # A memory that is full makes whoever adds to it wait, or write to the disk.
        kept = await asyncio.to_thread(self._forwarding.start_forwarding, lines)
        if not await self._wait_for(kept, timeout_s):
            raise DeliveryTimeoutError(event_id="", accepted=kept)
