"""A plan as a document."""

from __future__ import annotations

from datetime import datetime

import msgspec

from activity_pipeline.errors import LegacyError
from activity_pipeline.legacy.catalogue import Trigger
from activity_pipeline.legacy.inventory.overrides import Phase

VERSION = 1


class PlannedTrigger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A trigger that goes.

    Attributes:
        trigger: It, as it was when the plan was made.
        columns: Columns of the audit table that it fills.
        mean_ms: What a call costs, in milliseconds, where that is known.
    """

    trigger: Trigger
    columns: int = 0
    mean_ms: float | None = None


class PlannedTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The triggers of one table, which go in one transaction.

    Attributes:
        name: schema.table.
        relation: The same, quoted.
        triggers: By name.
    """

    name: str
    relation: str
    triggers: tuple[PlannedTrigger, ...]


class PlannedPhase(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What goes together.

    Attributes:
        number: From 1.
        name: redundant, user-facing, system or rest.
        tables: In the order in which they are changed: what refers to others before those.
    """

    number: int
    name: Phase
    tables: tuple[PlannedTable, ...]

    @property
    def stem(self) -> str:
        """Name of its files, without ending."""
        return f"phase-{self.number}-{self.name}"

    @property
    def triggers(self) -> int:
        """How many go."""
        return sum(len(table.triggers) for table in self.tables)


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Phases, and what stays.

    Attributes:
        made_at: When the catalogue was read.
        phases: In order.
        undecided: Triggers that stay until a person says what they are, each with the reason.
        audit_tables: Where the triggers write.
        version: Of this layout.
    """

    made_at: datetime
    phases: tuple[PlannedPhase, ...]
    undecided: dict[str, str]
    audit_tables: tuple[str, ...]
    version: int = VERSION

    def phase(self, number: int) -> PlannedPhase:
        """Return a phase.

        Raises:
            LegacyError: There is none of that number.
        """
        for phase in self.phases:
            if phase.number == number:
                return phase
        raise LegacyError(f"there is no phase {number}: the plan has 1 to {len(self.phases)}")
