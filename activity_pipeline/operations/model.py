"""What is recorded of an operation: counts by logarithmic bucket, which add up over processes.

Bucket k holds durations up to 10^((k - 120) / 24) seconds and above the end of bucket k - 1, as in
DDSketch (Masson, Rim and Lee, VLDB 2019): whatever the distribution, a quantile between 10 us and 28 h
is off by less than 5 % of itself. Shorter and longer ones count in the first and the last bucket.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

Operation = Literal["log_flush", "drain", "seal", "export", "gate", "metrics", "anomalies", "query"]
OPERATIONS: Final[tuple[Operation, ...]] = get_args(Operation)

PER_DECADE: Final = 24
ONE_SECOND: Final = 5 * PER_DECADE
"""The bucket that ends at one second."""

BUCKETS: Final = 10 * PER_DECADE + 1
GROWTH: Final = 10 ** (1 / PER_DECADE)
RELATIVE_ERROR: Final = (GROWTH - 1) / (GROWTH + 1)
"""How far a quantile may be from the true one, as a share of it."""

_SHORTEST_S: Final = 1e-5


def bucket_of(seconds: float) -> int:
    """Return the number of the bucket that a duration falls into."""
    # Rounded, so that a power of ten ends its bucket, whatever the logarithm's last digit is.
    ends = math.ceil(round(math.log10(max(seconds, _SHORTEST_S)) * PER_DECADE, 9))
    return min(ends + ONE_SECOND, BUCKETS - 1)


def end_of(bucket: int) -> float:
    """Return the longest duration of a bucket, in seconds."""
    return float(GROWTH ** (bucket - ONE_SECOND))


def seconds_of(bucket: int) -> float:
    """Return the duration that is at most RELATIVE_ERROR from all in a bucket, in seconds."""
    return 2 * end_of(bucket) / (GROWTH + 1)


@dataclass(slots=True)
class Histogram:
    """What one operation took.

    Attributes:
        count: Calls.
        failures: Those of them that raised an error.
        items: Events that they handled; 0 where it is not events that count.
        refused: Those of the items that became dead letters.
        seconds: Durations of the calls together, in seconds.
        longest_s: The longest of them, in seconds.
        buckets: Calls by bucket, BUCKETS of them.
    """

    count: int = 0
    failures: int = 0
    items: int = 0
    refused: int = 0
    seconds: float = 0.0
    longest_s: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * BUCKETS)

    def add(
        self, seconds: float, *, times: int = 1, failures: int = 0, items: int = 0, refused: int = 0
    ) -> None:
        """Count `times` calls of `seconds` each."""
        self.count += times
        self.failures += failures
        self.items += items
        self.refused += refused
        self.seconds += times * seconds
        self.longest_s = max(self.longest_s, seconds)
        self.buckets[bucket_of(seconds)] += times

    def merge(self, other: Histogram) -> None:
        """Add what another process, or another hour, recorded."""
        self.count += other.count
        self.failures += other.failures
        self.items += other.items
        self.refused += other.refused
        self.seconds += other.seconds
        self.longest_s = max(self.longest_s, other.longest_s)
        self.buckets = [own + more for own, more in zip(self.buckets, other.buckets, strict=True)]

    def quantile(self, q: float) -> float:
        """Return the duration that a share `q` of the calls did not exceed, in seconds; 0 without calls."""
        rank, running = math.ceil(q * self.count), 0
        for bucket, count in enumerate(self.buckets):
            running += count
            if running >= max(rank, 1):
                return min(seconds_of(bucket), self.longest_s)
        return 0.0


def total(histograms: Sequence[Histogram]) -> Histogram:
    """Add histograms up."""
    added = Histogram()
    for each in histograms:
        added.merge(each)
    return added
