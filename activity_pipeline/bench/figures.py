"""A measured figure beside the target that it is held against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a benchmark's table.

    Attributes:
        name: What was measured.
        value: The figure.
        unit: Its unit; `x` for a ratio of two sides measured in turns.
        target: What it should reach; absent where it is shown for comparison alone.
        wanted: Whether the figure should be at least or at most the target.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    wanted: Literal["at least", "at most"] = "at least"

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; absent without one."""
        if self.target is None:
            return None
        return self.value >= self.target if self.wanted == "at least" else self.value <= self.target

    def as_dict(self) -> dict[str, object]:
        """Return a row for a table or a machine."""
        target = "" if self.target is None else f"{self.wanted} {self.target:,g}"
        return {
            "name": self.name,
            "value": round(self.value, 3),
            "unit": self.unit,
            "target": target,
            "met": self.met,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What one benchmark measured.

    Attributes:
        machine: Processor, memory, versions.
        sizes: How much was measured, by name.
        figures: The table.
        rounds: Every single measurement by side.
        tables: What is a table of its own, by title; shown before the figures.
    """

    machine: Mapping[str, str]
    sizes: Mapping[str, int]
    figures: list[Figure]
    rounds: Mapping[str, list[float]] = field(default_factory=dict)
    tables: Mapping[str, list[dict[str, object]]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, object]:
        """Return it for a machine."""
        return {
            "machine": dict(self.machine),
            "sizes": dict(self.sizes),
            "figures": [figure.as_dict() for figure in self.figures],
            "rounds": {name: [round(value, 3) for value in values] for name, values in self.rounds.items()},
            "tables": dict(self.tables),
        }
