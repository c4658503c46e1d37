"""Waiting for what other processes do: looking again until a deadline, never a sleep that is hoped to do."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

POLL_S = 0.01
TIMEOUT_S = 60.0


def wait_for(what: str, look: Callable[[], Any], timeout_s: float = TIMEOUT_S) -> Any:
    """Look until what is seen is true, and return it; fail after `timeout_s` seconds."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"not within {timeout_s:.0f} s: {what}"
        time.sleep(POLL_S)
    return found
