"""AsyncActivityLogger: the logger of an application that runs on asyncio."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Self, TypedDict

from activity_pipeline.errors import DeliveryTimeoutError
from activity_pipeline.producer.logger import EXIT_TIMEOUT_S, WAIT_TIMEOUT_S, ActivityLogger

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType
    from typing import Unpack
    from uuid import UUID

    from activity_pipeline.producer.stats import Stats


class EventFields(TypedDict, total=False):
    """The fields of an event, as `ActivityLogger.log` takes them."""

    entity_type: str | None
    entity_id: str | int | UUID | None
    user_id: str | UUID | None
    status: str | None
    metadata: dict[str, Any] | None
    timestamp: datetime | str | None
    event_id: str | UUID | None


class AsyncActivityLogger:
    """An ActivityLogger whose waiting is awaited, so that the event loop never stands still."""

    def __init__(self, url: str | None = None, *, source: str, **options: Any) -> None:
        """Prepare to log; see `ActivityLogger` for the arguments."""
        self.logger = ActivityLogger(url, source=source, **options)

    async def log(
        self,
        action: str,
        *,
        wait: bool = False,
        timeout_s: float = WAIT_TIMEOUT_S,
        **fields: Unpack[EventFields],
    ) -> str:
        """Log one event; return its id. Does not let other tasks run unless it has to wait.

        See `ActivityLogger.log` for the arguments and the errors.
        """
        if self.logger.may_block:
            import asyncio  # noqa: PLC0415 whoever calls this has imported it

            return await asyncio.to_thread(self.logger.log, action, wait=wait, timeout_s=timeout_s, **fields)
        try:
            return self.logger.log(action, wait=wait, timeout_s=0, **fields)
        except DeliveryTimeoutError as error:
            if await self._wait_for(error.accepted, timeout_s):
                return error.event_id
            raise

    async def flush(self, timeout_s: float = WAIT_TIMEOUT_S) -> bool:
        """Wait until Redis has accepted everything logged so far; see `ActivityLogger.flush`."""
        return await self._wait_for(self.logger.start_flush(), timeout_s)

    async def close(self, timeout_s: float = EXIT_TIMEOUT_S) -> None:
        """Flush for at most `timeout_s` seconds, put the rest into the spool, end the thread."""
        import asyncio  # noqa: PLC0415

        await asyncio.to_thread(self.logger.close, timeout_s)

    @property
    def stats(self) -> Stats:
        """The counts so far."""
        return self.logger.stats

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        import asyncio  # noqa: PLC0415

        loop = asyncio.get_running_loop()
        came_true = asyncio.Event()

        def tell() -> None:
            with suppress(RuntimeError):  # the loop was closed meanwhile
                loop.call_soon_threadsafe(came_true.set)

        call_off = self.logger.call_once(condition, tell)
        try:
            async with asyncio.timeout(timeout_s):
                await came_true.wait()
        except TimeoutError:
            return False
        finally:
            call_off()
        return True
