"""What became of an application's triggers since the plan was made. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass

from activity_pipeline.legacy.catalogue import Trigger
from activity_pipeline.legacy.inventory.read import Inventory
from activity_pipeline.legacy.plan.document import Plan


@dataclass(frozen=True, slots=True)
class Drift:
    """Triggers of which the plan does not say what is so.

    Attributes:
        new: They audit, and no phase has them.
        changed: They are not as they were planned, or audit no more.
        gone: They were planned, and went without a cutover.
    """

    new: list[str]
    changed: list[str]
    gone: list[str]

    @property
    def is_any(self) -> bool:
        """Whether there are any."""
        return bool(self.new or self.changed or self.gone)

    def as_dict(self) -> dict[str, list[str]]:
        """Return schema.table.trigger of each, by what became of it."""
        return asdict(self)


def drift_of(plan: Plan, inventory: Inventory, dropped: Collection[str]) -> Drift:
    """Compare a plan with what is there.

    Args:
        plan: It.
        inventory: The triggers that are there now.
        dropped: schema.table.trigger of those that a cutover has dropped.
    """
    planned: dict[str, Trigger] = {
        each.trigger.key: each.trigger
        for phase in plan.phases
        for table in phase.tables
        for each in table.triggers
    }
    here = {each.trigger.key: each.trigger for each in inventory.triggers}
    audits = {each.trigger.key: each.trigger for each in inventory.audits}
    return Drift(
        new=sorted(audits.keys() - planned.keys()),
        changed=sorted(key for key in planned.keys() & here.keys() if audits.get(key) != planned[key]),
        gone=sorted(planned.keys() - here.keys() - set(dropped)),
    )
