"""How often a key may ask: a token bucket for each, in this process.

In the process and not in Redis, because what a limit protects is a process, and an answer shall not need
another round trip nor fail with Redis. So the limit is each worker's: N of them let through N times as
much, and a client with one connection gets all of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable

FORGET_FROM = 10_000
"""Buckets above which the full ones are forgotten: a full one is as good as none."""


class Buckets:
    """A bucket for each name. For one event loop."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Start with none; `clock` is in seconds."""
        self._clock = clock
        self._levels: dict[str, tuple[float, float, float]] = {}

    def take(self, name: str, per_s: float, burst: int) -> float:
        """Take one token.

        Args:
            name: Whose bucket.
            per_s: Tokens that flow in each second.
            burst: How many it holds.

        Returns:
            0 where there was one, else after how many seconds there will be.
        """
        now = self._clock()
        level, at, _ = self._levels.get(name, (float(burst), now, 0.0))
        level = min(float(burst), level + (now - at) * per_s)
        wait_s = 0.0 if level >= 1 else (1 - level) / per_s
        if not wait_s:
            level -= 1
        if name not in self._levels and len(self._levels) >= FORGET_FROM:
            self._levels = {key: held for key, held in self._levels.items() if now < held[2]}
        self._levels[name] = (level, now, now + (burst - level) / per_s)
        return wait_s
