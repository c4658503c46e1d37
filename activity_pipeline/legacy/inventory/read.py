"""The inventory of an application's triggers, as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from activity_pipeline.legacy.catalogue import Catalogue, read_catalogue, reading
from activity_pipeline.legacy.inventory.audit_table import AuditTable, read_audit_table
from activity_pipeline.legacy.inventory.cost import Cost, counted_costs, sampled_costs
from activity_pipeline.legacy.inventory.judge import Judged, judge, of_table, with_groups, with_phases
from activity_pipeline.legacy.inventory.overrides import Overrides


@dataclass(frozen=True, slots=True)
class Inventory:
    """Triggers and what they write.

    Attributes:
        catalogue: What was read.
        triggers: Each with its verdict.
        audit_tables: Where audit rows go.
    """

    catalogue: Catalogue
    triggers: Sequence[Judged]
    audit_tables: Sequence[AuditTable]

    @property
    def audits(self) -> list[Judged]:
        """Triggers that write audit rows and nothing else."""
        return [each for each in self.triggers if each.verdict == "audit"]

    @property
    def undecided(self) -> list[Judged]:
        """Triggers of which a person must say something before all are gone."""
        return [each for each in self.triggers if each.verdict in ("mixed", "unknown")]

    def counts(self) -> dict[str, int]:
        """Return triggers by verdict, and those that audit by phase."""
        counts = {"triggers": len(self.triggers)}
        for each in self.triggers:
            for name in (each.verdict, *([each.phase] if each.phase else [])):
                counts[name] = counts.get(name, 0) + 1
        return counts

    def rows(self) -> list[dict[str, Any]]:
        """Return a row for each trigger."""
        return [
            {
                "table": each.trigger.table_name,
                "trigger": each.trigger.name,
                "events": "|".join(each.trigger.events),
                "fires": f"{each.trigger.timing} {each.trigger.level}",
                "enabled": each.trigger.enabled,
                "function": each.trigger.function,
                "verdict": each.verdict,
                "phase": each.phase,
                "columns": each.columns,
                "beside": ", ".join(each.group),
                "ms": each.mean_ms,
                "rows a day": each.rows_a_day,
                "why": "; ".join(each.why),
            }
            for each in self.triggers
        ]


def read_inventory(dsn: str, overrides: Overrides, *, sample: bool = False) -> Inventory:
    """Read an application's triggers, in one transaction that can change nothing.

    Args:
        dsn: libpq URI of its database.
        overrides: What a person says of them.
        sample: Where Postgres counts no function calls, try the audit triggers on a few rows, in
            transactions that are rolled back.

    Raises:
        StoreError: Postgres does not answer.
    """
    with reading(dsn) as connection:
        catalogue = read_catalogue(connection)
        judged, names = judge(catalogue, overrides)
        audits = [read_audit_table(connection, name) for name in names if name in catalogue.relations]
        by_function = counted_costs(connection)
    by_trigger: Mapping[str, Cost] = {}
    if sample:
        uncounted = [
            each.trigger
            for each in judged
            if each.verdict == "audit" and each.trigger.function not in by_function
        ]
        by_trigger = sampled_costs(dsn, uncounted)
    with_all = with_phases(with_groups(judged), overrides, audits)
    return Inventory(
        catalogue, [_with_cost(each, by_function, by_trigger, audits) for each in with_all], audits
    )


def _with_cost(
    one: Judged, by_function: Mapping[str, Cost], by_trigger: Mapping[str, Cost], audits: Sequence[AuditTable]
) -> Judged:
    rows_a_day = of_table(one.trigger.table_name, [audit.by_table for audit in audits])
    cost = by_trigger.get(one.trigger.key) or by_function.get(one.trigger.function)
    if cost is None:
        return replace(one, rows_a_day=rows_a_day)
    return replace(one, rows_a_day=rows_a_day, mean_ms=cost.mean_ms, calls=cost.calls)
