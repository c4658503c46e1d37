"""How far the way off the triggers is gone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.coverage import Bypass, read_bypasses
from activity_pipeline.hot.legacy import Parity, read_parity
from activity_pipeline.legacy.cutover.gate import Window
from activity_pipeline.legacy.cutover.steps import Dropped, read_dropped
from activity_pipeline.legacy.inventory.overrides import PHASES
from activity_pipeline.legacy.inventory.read import Inventory
from activity_pipeline.legacy.plan.document import Plan
from activity_pipeline.legacy.plan.drift import Drift, drift_of


@dataclass(frozen=True, slots=True)
class PhaseProgress:
    """A phase.

    Attributes:
        number: From 1.
        name: Its name.
        dropped: Triggers that are gone.
        left: Triggers that are still there.
        last_at: When the last one went.
    """

    number: int
    name: str
    dropped: int
    left: int
    last_at: datetime | None

    @property
    def state(self) -> str:
        """What of it is done."""
        if not self.dropped:
            return "nothing to do" if not self.left else "to do"
        return "under way" if self.left else "done"


@dataclass(frozen=True, slots=True)
class TableProgress:
    """A table with audit triggers, now or before.

    Attributes:
        table_name: schema.table.
        dropped: Audit triggers that are gone.
        left: Audit triggers that are there.
        parity: What was compared of it; none where nothing was.
        bypassed: Rows changed in the last days that no event tells of.
        saved_ms: What a changed row costs less, in milliseconds: the mean over what fired the triggers;
            none where that was not measured.
    """

    table_name: str
    dropped: int
    left: int
    parity: Parity | None
    bypassed: int
    saved_ms: float | None


@dataclass(frozen=True, slots=True)
class Progress:
    """All of it.

    Attributes:
        phases: In order.
        tables: By name.
        undecided: Triggers that stay until a person says what they are.
        drift: What became of triggers since the plan was made; none where there is no plan.
        saved_ms: What a changed row costs less, in milliseconds, over the tables where it was measured.
    """

    phases: Sequence[PhaseProgress]
    tables: Sequence[TableProgress]
    undecided: Sequence[str]
    drift: Drift | None
    saved_ms: float | None

    @property
    def phase(self) -> int:
        """The phase that is under way or comes next; one more than there are when all is done."""
        open_ = [phase.number for phase in self.phases if phase.left]
        return min(open_, default=len(self.phases) + 1)

    @property
    def left(self) -> int:
        """Audit triggers that are there."""
        return sum(phase.left for phase in self.phases)


def read_progress(
    application: Statements,
    ours: Statements,
    inventory: Inventory,
    plan: Plan | None,
    window: Window,
    since: datetime,
) -> Progress:
    """Put inventory, plan, records, parity and coverage together.

    Args:
        application: The application's database.
        ours: The database of the events.
        inventory: The triggers that are there now.
        plan: By which they go, where it was made.
        window: Days of the parity, first and last.
        since: From when on bypasses count.
    """
    gone = read_dropped(application)
    parity = read_parity(ours, *window)
    bypasses = read_bypasses(ours, since)
    names = sorted(
        {each.table_name for each in gone} | {each.trigger.table_name for each in inventory.audits}
    )
    tables = [_table(name, gone, inventory, parity.get(name), bypasses) for name in names]
    saved = [table.saved_ms for table in tables if table.saved_ms is not None]
    return Progress(
        phases=[_phase(number, name, gone, inventory) for number, name in enumerate(PHASES, start=1)],
        tables=tables,
        undecided=[each.trigger.key for each in inventory.undecided],
        drift=drift_of(plan, inventory, {each.planned.trigger.key for each in gone}) if plan else None,
        saved_ms=sum(saved) / len(saved) if saved else None,
    )


def _phase(number: int, name: str, gone: Sequence[Dropped], inventory: Inventory) -> PhaseProgress:
    of_it = [each for each in gone if each.phase == number]
    left = sum(1 for each in inventory.audits if each.phase == name)
    return PhaseProgress(number, name, len(of_it), left, max((each.at for each in of_it), default=None))


def _table(
    name: str,
    gone: Sequence[Dropped],
    inventory: Inventory,
    parity: Parity | None,
    bypasses: Sequence[Bypass],
) -> TableProgress:
    of_it = [each.planned for each in gone if each.table_name == name]
    by_event: dict[str, float] = {}
    for planned in of_it:
        for event in planned.trigger.events:
            if planned.mean_ms is not None:
                by_event[event] = by_event.get(event, 0.0) + planned.mean_ms
    return TableProgress(
        table_name=name,
        dropped=len(of_it),
        left=sum(1 for each in inventory.audits if each.trigger.table_name == name),
        parity=parity,
        bypassed=sum(bypass.rows for bypass in bypasses if bypass.table_name == name),
        saved_ms=sum(by_event.values()) / len(by_event) if by_event else None,
    )
