"""Phases forward and back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from activity_pipeline.errors import LegacyError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.legacy.catalogue import read_triggers
from activity_pipeline.legacy.cutover.change import Changed, Patience, drop_phase, restore_phase
from activity_pipeline.legacy.cutover.gate import ParitySource, Window, faults, require_parity
from activity_pipeline.legacy.cutover.steps import is_installed
from activity_pipeline.legacy.plan.document import Plan


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for.

    Attributes:
        plan: The plan.
        number: The phase.
        window: The days over which there must be parity, first and last.
        allow_idle: Whether a table of which nothing was compared may go.
    """

    plan: Plan
    number: int
    window: Window
    allow_idle: bool = False

    @property
    def tables(self) -> list[str]:
        """Tables of the phase."""
        return [table.name for table in self.plan.phase(self.number).tables]


@dataclass(frozen=True, slots=True)
class Preview:
    """What a cutover would do.

    Attributes:
        shut: What shuts its gate, by table.
        waits_for: Earlier phases that have triggers left.
        triggers: Triggers of the phase that are there, by table.
    """

    shut: dict[str, str]
    waits_for: list[int]
    triggers: dict[str, list[str]]


def preview(connection: Statements, request: Request, source: ParitySource) -> Preview:
    """Say what a cutover would do; nothing is changed."""
    here = {each.key for each in read_triggers(connection)}
    phase = request.plan.phase(request.number)
    left = {
        table.name: [each.trigger.name for each in table.triggers if each.trigger.key in here]
        for table in phase.tables
    }
    found = source.parity(request.window)
    return Preview(
        faults(found, request.tables, request.window, allow_idle=request.allow_idle),
        _earlier(here, request),
        {name: names for name, names in left.items() if names},
    )


def cutover(
    connection: Statements, request: Request, source: ParitySource, patience: Patience | None = None
) -> Iterator[Changed]:
    """Drop the triggers of a phase, each table in a transaction of its own.

    After a crash the same again does what is left.

    Args:
        connection: To the application's database.
        request: The phase.
        source: Says what was compared.
        patience: How to wait for tables in use.

    Yields:
        Each table, once it is done.

    Raises:
        ParityError: Events do not tell all that the triggers tell. Nothing was changed.
        LegacyError: An earlier phase is not done, there are no records, or a trigger is not as planned.
        StoreBusyError: A table was in use for too long.
    """
    if not is_installed(connection):
        raise LegacyError(
            "there are no records in the application's database: --install makes a schema for them"
        )
    if waits_for := _earlier({each.key for each in read_triggers(connection)}, request):
        raise LegacyError(f"phase {waits_for[0]} comes first: some of its triggers are still there")
    found = require_parity(source, request.tables, request.window, allow_idle=request.allow_idle)
    gate: dict[str, dict[str, Any]] = {
        name: {"window": [day.isoformat() for day in request.window], **asdict(parity)}
        for name, parity in found.items()
    }
    yield from drop_phase(connection, request.plan.phase(request.number), gate, patience or Patience())


def rollback(connection: Statements, number: int, patience: Patience | None = None) -> Iterator[Changed]:
    """Make the triggers of a phase again, exactly as they were; needs no plan and no parity.

    After a crash, of this or of the cutover, the same again does what is left.

    Args:
        connection: To the application's database.
        number: The phase.
        patience: How to wait for tables in use.

    Yields:
        Each table, once it is done.

    Raises:
        LegacyError: A trigger cannot be made as it was. Its table was left as it is.
        StoreBusyError: A table was in use for too long.
    """
    yield from restore_phase(connection, number, patience or Patience())


def _earlier(here: set[str], request: Request) -> list[int]:
    return [
        phase.number
        for phase in request.plan.phases
        if phase.number < request.number
        and any(each.trigger.key in here for table in phase.tables for each in table.triggers)
    ]
