"""Taking turns: each side once per round, so that a noisy machine is unfair to none."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Side:
    """What one side of a comparison measured.

    Attributes:
        name: What it is.
        unit: Unit of the measurements.
        measurements: One for each round.
    """

    name: str
    unit: str
    measurements: list[float]

    @property
    def median(self) -> float:
        """The middle of the measurements."""
        return statistics.median(self.measurements)

    def over(self, other: Side) -> float:
        """Return the median of the ratios, round by round, of this side to another."""
        pairs = zip(self.measurements, other.measurements, strict=True)
        return statistics.median(mine / theirs for mine, theirs in pairs)


def take_turns(
    sides: Mapping[str, Callable[[], float]], *, rounds: int, unit: str, say: Say
) -> dict[str, Side]:
    """Measure each side once per round, every other round in the opposite order."""
    measured: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds):
        for name in sorted(sides, key=list(sides).index, reverse=bool(number % 2)):
            measured[name].append(sides[name]())
            say(f"round {number + 1}/{rounds}: {name} {measured[name][-1]:,.4g} {unit}")
    return {name: Side(name, unit, values) for name, values in measured.items()}
