"""How quick the operations are: their last hours against their thresholds and their week. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from activity_pipeline.operations.model import Histogram, Operation, total
from activity_pipeline.operations.thresholds import Degradation, degradation

HOUR: Final = timedelta(hours=1)
LOOKED_AT: Final = timedelta(days=7, hours=2)
"""How far back the hours are read: the one under way, the last full one, and the week before it."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How quick an operation is.

    Attributes:
        operation: Which one.
        lately: Its hour under way and the one before, together.
        limit_s: Its threshold, in seconds; 0: none.
        slow: Why it counts as slow in the last full hour, where it does.
    """

    operation: Operation
    lately: Histogram
    limit_s: float
    slow: Degradation | None

    @property
    def p95_s(self) -> float:
        """Its p95 lately, in seconds."""
        return self.lately.quantile(0.95)


def paces(
    hours: Mapping[tuple[datetime, Operation], Histogram],
    thresholds: Mapping[Operation, float],
    *,
    now: datetime,
) -> list[Pace]:
    """Return the operations that were called in this hour or the last, slow ones first.

    Args:
        hours: Histograms by start of the hour, for LOOKED_AT.
        thresholds: The p95 that is too slow, in seconds.
        now: The hour under way is the one of this instant.
    """
    this = now.replace(minute=0, second=0, microsecond=0)
    found = []
    for operation, limit_s in thresholds.items():
        own = {hour: each for (hour, name), each in hours.items() if name == operation}
        last = own.get(this - HOUR, Histogram())
        lately = total([last, own.get(this, Histogram())])
        week = [each for hour, each in own.items() if this - LOOKED_AT < hour < this - HOUR]
        if lately.count:
            slow = degradation(operation, last, week, limit_s)
            found.append(Pace(operation, lately, limit_s, slow))
    return sorted(found, key=lambda pace: (pace.slow is None, -pace.p95_s))
