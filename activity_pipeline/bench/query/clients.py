"""Clients that ask at once, and how long they wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count

from activity_pipeline.bench.callers import fields
from activity_pipeline.producer import ActivityLogger

INGEST_PER_S = 2_000
TICK_S = 0.02


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


@contextmanager
def events_coming_in(logger: ActivityLogger) -> Iterator[None]:
    """Log 2,000 events a second while the block runs."""
    stop = threading.Event()

    def log() -> None:
        started, number = time.monotonic(), 0
        while not stop.wait(TICK_S):
            while number < (time.monotonic() - started) * INGEST_PER_S:
                logger.log("order.paid", **fields(number))
                number += 1

    thread = threading.Thread(target=log)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()
