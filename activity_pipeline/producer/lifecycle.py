"""What happens to open loggers when the process forks or ends."""

from __future__ import annotations

import atexit
import os
import sys
import weakref
from typing import Protocol


class Logger(Protocol):
    """What has to be told."""

    def close(self) -> None:
        """Deliver or spool what is left."""

    def start_anew_after_fork(self) -> None:
        """Leave what was buffered to the parent."""


_open: weakref.WeakSet[Logger] = weakref.WeakSet()


def watch(logger: Logger) -> None:
    """Close the logger when the process ends, start it anew in a forked child."""
    _open.add(logger)


def forget(logger: Logger) -> None:
    """The logger is closed."""
    _open.discard(logger)


def close_with_worker() -> None:
    """In a child of multiprocessing: see to its end, which runs no atexit handlers where it was forked."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415 it is loaded already

        Finalize(None, _close_all, exitpriority=0)


def _close_all() -> None:
    for logger in list(_open):
        logger.close()


def _start_all_anew() -> None:
    for logger in list(_open):
        logger.start_anew_after_fork()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_start_all_anew)
