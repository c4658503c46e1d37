"""Answers that everybody gets alike: found once for all who ask at the same time, and kept for a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class Memo:
    """A few answers by name. For one event loop."""

    def __init__(self) -> None:
        """Start without any."""
        self._answers: dict[str, tuple[float, asyncio.Task[Any]]] = {}

    async def get(self, name: str, ttl_s: float, find: Callable[[], Awaitable[T]]) -> T:
        """Return an answer that is at most `ttl_s` seconds old; raises what finding it raised."""
        until, task = self._answers.get(name, (0.0, None))
        if task is None or (task.done() and (time.monotonic() >= until or _failed(task))):
            task = asyncio.ensure_future(_found(find))
            self._answers[name] = (float("inf"), task)
            task.add_done_callback(self._kept(name, ttl_s))
        # Who leaves must not take the answer from those who wait for it, too.
        return cast(T, await asyncio.shield(task))

    def forget(self, name: str) -> None:
        """Have the next one who asks find the answer anew; who waits for it already gets what is found."""
        self._answers.pop(name, None)

    def _kept(self, name: str, ttl_s: float) -> Callable[[asyncio.Task[Any]], None]:
        def keep(task: asyncio.Task[Any]) -> None:
            if self._answers.get(name, (0.0, None))[1] is task:  # else it was forgotten meanwhile
                self._answers[name] = (time.monotonic() + ttl_s, task)
            _failed(task)  # looked at, so that nobody is warned of a failure that nobody waited for

        return keep


async def _found(find: Callable[[], Awaitable[T]]) -> T:
    return await find()


def _failed(task: asyncio.Task[Any]) -> bool:
    return task.cancelled() or task.exception() is not None
