"""Clients that ask at once, and how long they wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count


@dataclass(frozen=True, slots=True)
class Waits:
    """How long answers took.

    Attributes:
        seconds: Each one, sorted.
        elapsed_s: How long it was asked.
    """

    seconds: list[float]
    elapsed_s: float

    def quantile_ms(self, share: float) -> float:
        """Return a quantile in milliseconds."""
        return self.seconds[min(len(self.seconds) - 1, int(len(self.seconds) * share))] * 1000

    @property
    def per_s(self) -> float:
        """Answers a second."""
        return len(self.seconds) / self.elapsed_s


def ask_for(seconds: float, clients: int, ask: Callable[[int], object], *, most: int = 1_000_000) -> Waits:
    """Ask for so long.

    Args:
        seconds: How long, in seconds; each client asks once at least.
        clients: Threads.
        ask: Asks; is told a number that nobody else is told.
        most: Questions at the most.
    """
    numbers = count()
    found: list[float] = []
    errors: list[Exception] = []
    started = time.perf_counter()

    def run() -> None:
        while True:
            number = next(numbers)
            before = time.perf_counter()
            try:
                ask(number)
            except Exception as error:
                errors.append(error)
                return
            after = time.perf_counter()
            found.append(after - before)
            if after - started > seconds or number >= most:
                return

    threads = [threading.Thread(target=run) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return Waits(sorted(found), time.perf_counter() - started)
