"""The durations of this process: counted under a lock, in a few microseconds a call.

A process that ends without writing them, by SIGKILL say, loses what it recorded since the last time:
that is a gap in a graph. Nothing here can make an operation fail.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from activity_pipeline.operations.model import Histogram, Operation

HOUR_S: Final = 3600
MOST_PENDING: Final = 500
"""Hours of operations that wait to be written at the most: a process that nobody writes for keeps few."""

Hour = int
"""Hours since 1970."""

Pending = dict[tuple[Hour, Operation], Histogram]


class Recorder:
    """Counts durations by operation and hour; threads share one.

    Attributes:
        dropped: Calls that were forgotten before anybody wrote them.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._totals: dict[Operation, Histogram] = {}
        self._pending: Pending = {}
        self.dropped = 0

    def observe(
        self,
        operation: Operation,
        seconds: float,
        *,
        times: int = 1,
        failures: int = 0,
        items: int = 0,
        refused: int = 0,
    ) -> None:
        """Count `times` calls that took `seconds` each."""
        key = (int(time.time() // HOUR_S), operation)
        with self._lock:
            for counted in (self._of_process(operation), self._of_hour(key)):
                counted.add(seconds, times=times, failures=failures, items=items, refused=refused)

    def totals(self) -> dict[Operation, Histogram]:
        """Return a copy of all that was recorded since the process began."""
        copies: dict[Operation, Histogram] = {}
        with self._lock:
            for operation, histogram in self._totals.items():
                copies[operation] = Histogram()
                copies[operation].merge(histogram)
        return copies

    def take_pending(self) -> Pending:
        """Take out what has not been taken yet, by hour and operation."""
        with self._lock:
            pending, self._pending = self._pending, {}
        return pending

    def give_back(self, pending: Mapping[tuple[Hour, Operation], Histogram]) -> None:
        """Take back what could not be written."""
        with self._lock:
            for key, histogram in pending.items():
                self._of_hour(key).merge(histogram)

    def drop(self, pending: Mapping[tuple[Hour, Operation], Histogram]) -> None:
        """Count what is given up."""
        with self._lock:
            self.dropped += sum(histogram.count for histogram in pending.values())

    def reset_after_fork(self) -> None:
        """In a forked child: what was recorded is the parent's, and so may be the lock."""
        self.__init__()  # type: ignore[misc]

    def _of_process(self, operation: Operation) -> Histogram:
        found = self._totals.get(operation)
        if found is None:
            found = self._totals[operation] = Histogram()
        return found

    def _of_hour(self, key: tuple[Hour, Operation]) -> Histogram:
        found = self._pending.get(key)
        if found is None:
            found = self._pending[key] = Histogram()
            if len(self._pending) > MOST_PENDING:
                oldest = min(other for other in self._pending if other != key)
                self.dropped += self._pending.pop(oldest).count
        return found


RECORDER: Final = Recorder()
"""The process's own."""

if hasattr(os, "register_at_fork"):  # Windows has no fork
    os.register_at_fork(after_in_child=RECORDER.reset_after_fork)


@dataclass(slots=True)
class Call:
    """A call under way; the block may say more of it.

    Attributes:
        times: How many calls it stands for: a step over 200 days is 200, of an equal share each.
            0: nothing happened, and nothing is counted.
        failures: How many of them failed; all where the block raises.
        items: Events handled.
        refused: Those of them that became dead letters.
    """

    times: int = 1
    failures: int = 0
    items: int = 0
    refused: int = 0


@contextmanager
def measured(operation: Operation, *, times: int = 1, recorder: Recorder = RECORDER) -> Iterator[Call]:
    """Record how long the block takes, also where it raises an error."""
    call = Call(times)
    started = time.perf_counter()
    try:
        yield call
    except Exception:
        call.failures = call.times = max(call.times, 1)
        raise
    finally:
        if call.times:
            seconds = (time.perf_counter() - started) / call.times
            recorder.observe(
                operation,
                seconds,
                times=call.times,
                failures=call.failures,
                items=call.items,
                refused=call.refused,
            )
