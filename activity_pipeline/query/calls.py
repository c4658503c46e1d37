"""A question that whoever asked may give up: what is under way for it ends then."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator

from activity_pipeline.errors import BusyError, CancelledError

TIMEOUT_S = 30.0
"""Longest that a question may take, in seconds."""


class Call:
    """One question's; `cancel` is for other threads."""

    def __init__(self, timeout_s: float = TIMEOUT_S) -> None:
        """Begin; after `timeout_s` seconds it is cancelled by itself."""
        self._deadline = time.monotonic() + timeout_s
        self._lock = threading.Lock()
        self._interrupts: list[Callable[[], None]] = []
        self._cancelled = False

    def cancel(self) -> None:
        """End what is under way; again, where that had not begun yet."""
        with self._lock:
            self._cancelled = True
            for interrupt in self._interrupts:
                # Whatever it was has ended meanwhile.
                with contextlib.suppress(Exception):
                    interrupt()

    def check(self) -> None:
        """Stop here where nobody waits for the answer.

        Raises:
            CancelledError: It was cancelled.
            BusyError: It has taken too long.
        """
        if self._cancelled:
            raise CancelledError
        if time.monotonic() > self._deadline:
            raise BusyError("finding this takes too long: ask for fewer days, or for more of each event")

    @contextlib.contextmanager
    def running(self, interrupt: Callable[[], None], *, is_timed: bool = False) -> Iterator[None]:
        """Let the block be ended by `interrupt`.

        Args:
            interrupt: Ends it, from another thread.
            is_timed: Whether nothing else ends it when the time is over, as a statement's timeout does.

        Raises:
            CancelledError: It was cancelled.
            BusyError: It has taken too long.
        """
        self.check()
        with self._lock:
            self._interrupts.append(interrupt)
        try:
            with self._timer(interrupt) if is_timed else contextlib.nullcontext():
                yield
        except Exception:
            self.check()
            raise
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)

    @contextlib.contextmanager
    def _timer(self, interrupt: Callable[[], None]) -> Iterator[None]:
        # A thread of its own, which costs as much as a quick statement does.
        timer = threading.Timer(max(0.0, self._deadline - time.monotonic()), interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
