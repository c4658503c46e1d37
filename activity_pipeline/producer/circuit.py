"""The circuit breaker between the delivery and Redis: whether Redis is tried, and when again.

Only the delivery thread imports this module, when it first has something to send.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence

import pybreaker

from activity_pipeline.errors import QueueTimeoutError
from activity_pipeline.producer.transport import Transport

FAILURES_TO_OPEN = 2
"""One broken connection is an idle one that was cut; two in a row are an outage."""

FIRST_BACKOFF_S = 0.1
MAX_BACKOFF_S = 5.0


class Circuit:
    """A transport with a breaker: closed while Redis answers, open while it does not, half-open for one try.

    The breaker keeps the state. When to try again is decided here: later with each failure, and
    on the monotonic clock, because a breaker that reads the wall clock stays open when it is set
    back.
    """

    def __init__(self, transport: Transport) -> None:
        """Start closed."""
        self._transport = transport
        self._breaker = pybreaker.CircuitBreaker(
            fail_max=FAILURES_TO_OPEN, reset_timeout=0, throw_new_error_on_trip=False
        )
        self._failures = 0
        self.retry_at = 0.0

    @property
    def state(self) -> str:
        """`closed`, `open` or `half-open`."""
        return self._breaker.current_state

    @property
    def closed(self) -> bool:
        """Whether Redis is taken to be there."""
        return self.state == pybreaker.STATE_CLOSED

    def send(self, producer: str, entries: Sequence[Mapping[bytes, bytes]]) -> None:
        """See `Transport.send`; half-open where the circuit was open.

        Raises:
            QueueError: As there. `retry_at`, on the monotonic clock, says when to try again.
        """
        if self.state == pybreaker.STATE_OPEN:
            self._breaker.half_open()
        try:
            self._breaker.call(self._transport.send, producer, entries)
        except QueueTimeoutError:
            # Waiting it out again would keep events in memory for as long.
            self._breaker.open()
            self._back_off()
            raise
        except Exception:
            self._back_off()
            raise
        self._failures = 0

    def _back_off(self) -> None:
        delay_s = min(FIRST_BACKOFF_S * 2 ** min(self._failures, 10), MAX_BACKOFF_S)
        self._failures += 1
        # Jitter, so that a fleet of producers does not return in step.
        self.retry_at = time.monotonic() + delay_s * random.uniform(0.5, 1.0)  # noqa: S311
