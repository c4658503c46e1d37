"""Thresholds, and when an operation has become slow. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from activity_pipeline.errors import SettingsError
from activity_pipeline.operations.model import OPERATIONS, Histogram, Operation

DEFAULT_P95_MS: Final[Mapping[Operation, float]] = {
    "log_flush": 1_000.0,
    "drain": 5_000.0,
    "seal": 120_000.0,
    "export": 60_000.0,
    "gate": 30_000.0,
    "metrics": 60_000.0,
    "anomalies": 60_000.0,
    "query": 1_000.0,
}
"""The p95 that is too slow, in milliseconds: far above what this takes on a small machine, and a batch,
a day or a question that takes as long is one that somebody waits for."""

TIMES_SLOWER: Final = 3.0
FEWEST_CALLS: Final = 20
FEWEST_CALLS_BEFORE: Final = 200
FEWEST_HOURS_BEFORE: Final = 6
WORTH_A_WORD: Final = 0.1
"""Below this share of its threshold an operation is quick enough, however much it has slowed down."""


@dataclass(frozen=True, slots=True)
class Degradation:
    """An operation that has become slow.

    Attributes:
        operation: Which one.
        reason: It takes longer than its threshold, or much longer than it used to.
        p95_s: Its p95 now, in seconds.
        limit_s: What it is above of, in seconds: the threshold, or TIMES_SLOWER times what is usual.
        count: Calls that this is seen from.
    """

    operation: Operation
    reason: Literal["threshold", "history"]
    p95_s: float
    limit_s: float
    count: int

    def __str__(self) -> str:
        """Say it in a sentence."""
        above = "its limit of" if self.reason == "threshold" else f"{TIMES_SLOWER:.0f} times its week's"
        limit_s = self.limit_s if self.reason == "threshold" else self.limit_s / TIMES_SLOWER
        return (
            f"{self.operation}: p95 {human_seconds(self.p95_s)} over {self.count:,} calls, "
            f"above {above} {human_seconds(limit_s)}"
        )


def parse_thresholds(text: str) -> dict[Operation, float]:
    """Read `export=60000,query=500`, milliseconds, over the defaults; 0 leaves an operation unwatched.

    Returns:
        Thresholds in seconds.

    Raises:
        SettingsError: A name is no operation's, or a value no number of milliseconds.
    """
    thresholds: dict[Operation, float] = dict(DEFAULT_P95_MS)
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (each.strip() for each in part.partition("="))
        operation = next((each for each in OPERATIONS if each == name), None)
        if operation is None:
            raise SettingsError(f"ACTIVITY_OPERATION_P95_MS: {name!r} is none of {', '.join(OPERATIONS)}")
        try:
            milliseconds = float(value)
        except ValueError:
            milliseconds = -1.0
        if not 0 <= milliseconds < float("inf"):
            raise SettingsError(f"ACTIVITY_OPERATION_P95_MS: {part!r} names no number of milliseconds")
        thresholds[operation] = milliseconds
    return {operation: milliseconds / 1000 for operation, milliseconds in thresholds.items()}


def degradation(
    operation: Operation, now: Histogram, before: Sequence[Histogram], threshold_s: float
) -> Degradation | None:
    """Say whether an operation has become slow.

    Args:
        operation: Which one.
        now: Its last full hour.
        before: The hours of the week before that.
        threshold_s: The p95 that is too slow, in seconds; 0: it is not watched.
    """
    if not threshold_s or not now.count:
        return None
    p95_s = now.quantile(0.95)
    if p95_s > threshold_s:
        return Degradation(operation, "threshold", p95_s, threshold_s, now.count)
    if (
        now.count < FEWEST_CALLS
        or len(before) < FEWEST_HOURS_BEFORE
        or sum(hour.count for hour in before) < FEWEST_CALLS_BEFORE
    ):
        return None
    usual_s = sorted(hour.quantile(0.95) for hour in before)[len(before) // 2]
    limit_s = TIMES_SLOWER * usual_s
    if p95_s > max(limit_s, WORTH_A_WORD * threshold_s):
        return Degradation(operation, "history", p95_s, limit_s, now.count)
    return None


def human_seconds(seconds: float) -> str:
    """Write a duration as people say it."""
    if seconds < 1:
        return f"{seconds * 1000:.3g} ms"
    return f"{seconds:,.3g} s" if seconds < 1000 else f"{seconds:,.0f} s"
