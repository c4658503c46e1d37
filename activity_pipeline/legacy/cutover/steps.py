"""The records of what was done, in the application's database: `activity_legacy.steps`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, LiteralString

import msgspec

from activity_pipeline.errors import LegacyError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.legacy.plan.document import PlannedTrigger
from activity_pipeline.settings import packaged

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Dropped:
    """A trigger that is gone by a cutover.

    Attributes:
        phase: Number of the phase.
        phase_name: Its name.
        table_name: schema.table.
        planned: All that is needed to make it again.
        at: When it went.
    """

    phase: int
    phase_name: str
    table_name: str
    planned: PlannedTrigger
    at: datetime


def is_installed(connection: Statements) -> bool:
    """Whether there are records here."""
    row = connection.execute(_SQL["exists"]).fetchone()
    return bool(row and row[0])


def install(connection: Statements) -> None:
    """Make the schema `activity_legacy` with the records, where it is missing."""
    with connection.transaction():
        connection.execute(_SQL["lock_install"])
        if not is_installed(connection):
            connection.execute(_text("install.sql"))


def uninstall(connection: Statements) -> None:
    """Take the schema `activity_legacy` away.

    Raises:
        LegacyError: A trigger is dropped whose record would be lost.
    """
    with connection.transaction():
        connection.execute(_SQL["lock_install"])
        if not is_installed(connection):
            return
        if left := read_dropped(connection):
            raise LegacyError(
                f"{len(left):,} triggers are dropped: without their records there is no way back"
            )
        connection.execute(_text("uninstall.sql"))


def read_dropped(connection: Statements) -> list[Dropped]:
    """Return the triggers that are gone, the last one first; none where nothing was ever recorded."""
    if not is_installed(connection):
        return []
    return [
        Dropped(phase, phase_name, table_name, msgspec.json.decode(trigger, type=PlannedTrigger), at)
        for phase, phase_name, table_name, _, trigger, at in connection.execute(_SQL["dropped"])
    ]


def record(
    connection: Statements,
    action: Literal["drop", "restore"],
    planned: PlannedTrigger,
    *,
    phase: int,
    phase_name: str,
    gate: Mapping[str, Any],
) -> None:
    """Note a step, in the transaction that takes it."""
    connection.execute(
        _SQL["record"],
        {
            "action": action,
            "phase": phase,
            "phase_name": phase_name,
            "table_name": planned.trigger.table_name,
            "trigger_name": planned.trigger.name,
            "trigger": msgspec.json.encode(planned).decode(),
            "gate": msgspec.json.encode(gate).decode(),
        },
    )


def _text(name: str) -> LiteralString:
    return (packaged("sql") / "legacy_kit" / name).read_text()
