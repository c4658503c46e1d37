"""What a comparison came to."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any

from activity_pipeline.hot.legacy import EVERYTHING, Compared
from activity_pipeline.legacy.compare.pairs import Kind, Pair

KINDS: tuple[Kind, ...] = ("matched", "missing", "extra", "different")
SAMPLES = 5
"""Samples of each table and kind."""


@dataclass(slots=True)
class Report:
    """What a comparison came to.

    Attributes:
        judged_until: Later changes were left for the next time; their events may be on the way.
        counts: Changes by day, table and kind.
        summarised: Those of the matched that an event of many rows tells of.
        columns: How often each column of a table differed.
        samples: A few of what does not match.
    """

    judged_until: datetime
    counts: dict[tuple[date, str], Counter[Kind]] = field(default_factory=lambda: defaultdict(Counter))
    summarised: int = 0
    columns: Counter[tuple[str, str]] = field(default_factory=Counter)
    samples: list[Pair] = field(default_factory=list)
    _shown: Counter[tuple[str, Kind]] = field(default_factory=Counter)

    @property
    def totals(self) -> dict[str, int]:
        """How many changes there were of each kind."""
        return {kind: sum(counts[kind] for counts in self.counts.values()) for kind in KINDS}

    @property
    def is_full(self) -> bool:
        """Whether nothing is missing, extra or different."""
        return not any(changes for kind, changes in self.totals.items() if kind != "matched")

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each day and table."""
        return [
            {"day": day, "table": name, **{kind: counts[kind] for kind in KINDS}}
            for (day, name), counts in sorted(self.counts.items())
        ]

    def add(self, pair: Pair) -> None:
        """Count a pair."""
        self.counts[pair.at.astimezone(UTC).date(), pair.table_name][pair.kind] += pair.rows
        self.summarised += pair.rows if pair.in_summary else 0
        self.columns.update((pair.table_name, column) for column in pair.columns)
        about = (pair.table_name, pair.kind)
        if pair.kind != "matched" and self._shown[about] < SAMPLES:
            self._shown[about] += 1
            self.samples.append(pair)

    def of_day(self, day: date) -> list[Compared]:
        """Return what is kept of a day: each table, and all together: a quiet day was compared, too."""
        of_it = {name: counts for (its_day, name), counts in self.counts.items() if its_day == day}
        together: Counter[Kind] = Counter()
        for counts in of_it.values():
            together.update(counts)
        return [
            Compared(name, *(counts[kind] for kind in KINDS))
            for name, counts in [*of_it.items(), (EVERYTHING, together)]
        ]
