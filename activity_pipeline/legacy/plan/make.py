"""From an inventory to a plan. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from graphlib import CycleError, TopologicalSorter

from activity_pipeline.legacy.inventory.overrides import PHASES
from activity_pipeline.legacy.inventory.read import Inventory
from activity_pipeline.legacy.plan.document import Plan, PlannedPhase, PlannedTable, PlannedTrigger


def make_plan(inventory: Inventory, *, made_at: datetime | None = None) -> Plan:
    """Put the audit triggers into phases; those that do anything else stay.

    Within a phase a table comes after all that refer to it, as writers lock in the other order: a parent,
    then its children. No transaction of a phase holds more than one table anyway.
    """
    order = ordered({each.trigger.table_name for each in inventory.audits}, inventory.catalogue.references)
    phases = []
    for number, name in enumerate(PHASES, start=1):
        tables = []
        for table_name in order:
            going = [
                each
                for each in inventory.audits
                if each.phase == name and each.trigger.table_name == table_name
            ]
            if going:
                planned = tuple(PlannedTrigger(each.trigger, each.columns, each.mean_ms) for each in going)
                tables.append(PlannedTable(table_name, going[0].trigger.relation, planned))
        phases.append(PlannedPhase(number, name, tuple(tables)))
    return Plan(
        made_at=made_at or datetime.now(UTC),
        phases=tuple(phases),
        undecided={each.trigger.key: "; ".join(each.why) for each in inventory.undecided},
        audit_tables=tuple(table.name for table in inventory.audit_tables),
    )


def ordered(names: Iterable[str], references: Sequence[tuple[str, str]]) -> list[str]:
    """Return tables so that what refers to another comes before it; by name where tables refer to each other.

    Args:
        names: schema.table of each.
        references: Child and parent of each foreign key.
    """
    wanted = sorted(names)
    graph: TopologicalSorter[str] = TopologicalSorter({name: [] for name in wanted})
    for child, parent in references:
        if child in wanted and parent in wanted:
            graph.add(parent, child)
    try:
        graph.prepare()
    except CycleError:
        return wanted
    order: list[str] = []
    while graph.is_active():
        ready = sorted(graph.get_ready())
        order += ready
        graph.done(*ready)
    return order
