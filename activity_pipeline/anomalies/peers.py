"""What all users' days look like, for a user of whom nothing is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from activity_pipeline.anomalies.grid import Floats

ENOUGH_DAYS: Final = 200
"""Users' days, for a tail."""

TAIL_SHARE: Final = 0.05
"""Of the largest days, that the tail is fitted to."""

LEAST_CORRELATION: Final = 0.01
"""Of failures within a user's day: they come in runs."""


@dataclass(frozen=True, slots=True)
class HeavyTail:
    """The largest of the users' days as a power law (Hill 1975): a few users do most of what is done.

    Attributes:
        share: Of all days that are in the tail.
        start: Where the tail begins, in events.
        exponent: Share of days with at least x events is share * (x / start) ** -exponent.
    """

    share: float
    start: float
    exponent: float

    @classmethod
    def of(cls, events: Floats) -> HeavyTail | None:
        """Fit the tail of all users' days, none with fewer than `ENOUGH_DAYS`."""
        if len(events) < ENOUGH_DAYS:
            return None
        count = max(int(len(events) * TAIL_SHARE), 10)
        ordered = np.sort(events)
        start, largest = float(ordered[-count - 1]), ordered[-count:]
        slope = float(np.mean(np.log(largest / start)))
        # A whole number is at least a half from the next one: days that are all alike have a tail, too.
        return cls(share=count / len(events), start=start, exponent=1 / max(slope, np.log1p(0.5 / start)))

    def p_value(self, events: Floats) -> Floats:
        """Share of days with at least so many events; 1 below the tail."""
        over = np.maximum(events / self.start, 1.0)
        return np.where(events > self.start, self.share * over**-self.exponent, 1.0)

    def limit(self, p_value: float) -> float:
        """Events that so small a share of days exceeds."""
        return float(self.start * max(self.share / p_value, 1.0) ** (1 / self.exponent))


def quantile(values: Floats, level: float) -> float:
    """Smallest value that is at least as large as so many of them, 0 of none."""
    return float(np.quantile(values, level, method="higher")) if len(values) else 0.0


def correlation(events: Floats, failures: Floats, share: float) -> float:
    """Correlation of the failures within a user's day (moments, the largest hundredth left out)."""
    several = events >= 5
    size, failed = events[several], failures[several]
    if not size.size:
        return LEAST_CORRELATION
    squares = (failed - size * share) ** 2 / (size * share * (1 - share))
    usual = squares <= np.quantile(squares, 0.99)
    excess = float(np.mean(squares[usual]) - 1) / max(float(np.mean(size[usual])) - 1, 1.0)
    return min(max(excess, LEAST_CORRELATION), 0.5)
