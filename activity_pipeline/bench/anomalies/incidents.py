"""Incidents that are planted in simulated traffic, and the score of what was flagged."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import date
from typing import Final, NamedTuple

import polars as pl

ENOUGH_EVENTS: Final = 50.0
"""Series that the targets are about have so many events a day."""

ENOUGH_FAILURES: Final = 5.0
"""Fewer failures a day than this leave a tripled share within chance: 3 of 50 where 1 is usual."""


class Subject(NamedTuple):
    """What a flag is about: one series, source or user on one day."""

    date: date
    source: str
    action: str
    user_id: str = ""


@dataclass(frozen=True, slots=True)
class Incident:
    """Something unusual that was planted.

    Attributes:
        kind: What happened; `kinds` flags of it count as found.
        strength: How much of it, for the table.
        subject: Where and when.
        usual: Events that the subject has on such a day.
        usual_failures: Failed events that it has on such a day.
        kinds: Anomalies that show it.
        possible: Whether one who knows the true rate and its spread would have flagged it.
    """

    kind: str
    strength: str
    subject: Subject
    usual: float
    usual_failures: float
    kinds: frozenset[str]
    possible: bool = True

    @property
    def large(self) -> bool:
        """Whether the targets are about it."""
        return self.usual >= ENOUGH_EVENTS


@dataclass(slots=True)
class Score:
    """Incidents found and flags without one, over any number of simulations.

    Attributes:
        found, planted: By kind, strength and whether the series is large.
        seen: The same of those whose failures are many enough.
        possible: Found by one who knows the true rates.
        false_alarms: Flags that nothing explains, by kind.
        tested: Subject-days without an incident, by family: series or users.
        seconds: Time taken.
    """

    found: dict[tuple[str, str, str], int] = field(default_factory=dict)
    planted: dict[tuple[str, str, str], int] = field(default_factory=dict)
    possible: dict[tuple[str, str, str], int] = field(default_factory=dict)
    false_alarms: dict[str, int] = field(default_factory=dict)
    tested: dict[str, int] = field(default_factory=dict)
    seconds: float = 0.0

    def add(self, incidents: Iterable[Incident], flags: pl.DataFrame, excused: Collection[Subject]) -> None:
        """Score the flags of one simulation.

        Args:
            incidents: What was planted.
            flags: Columns date, kind, source, action, user_id.
            excused: Subject-days on which something did happen that is nobody's incident, such as the
                first week of a new level: flags there are neither right nor wrong.
        """
        flagged: dict[Subject, set[str]] = {}
        for day, kind, source, action, user in flags.select(
            "date", "kind", "source", "action", pl.col("user_id").fill_null("")
        ).iter_rows():
            flagged.setdefault(Subject(day, source, action, user), set()).add(kind)
        explained: set[Subject] = set(excused)
        for incident in incidents:
            explained.add(incident.subject)
            for group in _groups(incident):
                key = (incident.kind, incident.strength, group)
                hit = bool(incident.kinds & flagged.get(incident.subject, set()))
                self.planted[key] = self.planted.get(key, 0) + 1
                self.found[key] = self.found.get(key, 0) + hit
                self.possible[key] = self.possible.get(key, 0) + incident.possible
        for subject, kinds in flagged.items():
            if subject not in explained:
                for kind in kinds:
                    self.false_alarms[kind] = self.false_alarms.get(kind, 0) + 1

    def recall(self, kind: str, strength: str, group: str) -> float:
        """Share of the planted that was found."""
        key = (kind, strength, group)
        return self.found[key] / self.planted[key]


def _groups(incident: Incident) -> Iterable[str]:
    yield "all"
    if incident.large:
        yield "large"
        if incident.kind == "failures" and incident.usual_failures >= ENOUGH_FAILURES:
            yield "visible"
