"""A plan in a folder: plan.json for the machine, the same as SQL for people, and the way back beside it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from activity_pipeline.errors import LegacyError
from activity_pipeline.legacy.plan.document import VERSION, Plan, PlannedPhase, PlannedTable
from activity_pipeline.legacy.statements import drop_of, restore_of

PLAN = "plan.json"
LOCK_TIMEOUT = "2s"


def write_plan(plan: Plan, folder: Path, *, replace: bool = False) -> list[Path]:
    """Write a plan; return its files.

    Args:
        plan: It.
        folder: Made where it is missing.
        replace: Whether a plan that is there may go.

    Raises:
        LegacyError: There is a plan already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / PLAN).exists() and not replace:
        raise LegacyError(f"{folder} has a plan already: --replace writes over it")
    for old in folder.glob("phase-*.sql"):
        old.unlink()
    written = []
    for phase in plan.phases:
        for name, text in _texts(phase).items():
            (folder / name).write_text(text)
            written.append(folder / name)
    (folder / PLAN).write_bytes(msgspec.json.format(msgspec.json.encode(plan), indent=1) + b"\n")
    return [*written, folder / PLAN]


def find_plan(folder: str | Path) -> Plan | None:
    """Read the plan of a folder; none where none was made, or no folder is named.

    Raises:
        LegacyError: As `read_plan`.
    """
    if not folder or not (path := Path(folder).expanduser() / PLAN).exists():
        return None
    return read_plan(path.parent)


def read_plan(folder: Path) -> Plan:
    """Read a plan, and make sure that the SQL that people have reviewed is what it says.

    Raises:
        LegacyError: There is none, it is of another version, or one of the SQL files was changed.
    """
    try:
        plan = msgspec.json.decode((folder / PLAN).read_bytes(), type=Plan)
    except FileNotFoundError as error:
        raise LegacyError(f"{folder} has no plan: run activity-pipeline legacy plan") from error
    except msgspec.MsgspecError as error:
        raise LegacyError(f"{folder / PLAN} is no plan: {error}") from error
    if plan.version != VERSION:
        raise LegacyError(f"{folder / PLAN} is of version {plan.version}, this release knows {VERSION}")
    for phase in plan.phases:
        for name, text in _texts(phase).items():
            path = folder / name
            if not path.exists() or path.read_text() != text:
                raise LegacyError(
                    f"{path} is not what {PLAN} says: what is done is never other than what was reviewed. "
                    "Say it in the override file and plan anew, or run the SQL by hand"
                )
    return plan


def _texts(phase: PlannedPhase) -> dict[str, str]:
    return {f"{phase.stem}.sql": forward_text(phase), f"{phase.stem}.rollback.sql": back_text(phase)}


def forward_text(phase: PlannedPhase) -> str:
    """Return a phase as SQL."""
    head = [
        f"-- Phase {phase.number}, {phase.name}: {phase.triggers} triggers of {len(phase.tables)} tables go.",
        "-- `activity-pipeline legacy cutover` does this, and records it; each table is a transaction.",
    ]
    return _joined([*head, *(_transaction(table, _drops(table)) for table in phase.tables)])


def back_text(phase: PlannedPhase) -> str:
    """Return the way back as SQL, in the opposite order."""
    head = [
        f"-- Back from phase {phase.number}, {phase.name}: {phase.triggers} triggers as they were.",
        "-- `activity-pipeline legacy rollback` does this for what the cutover has dropped, and checks it.",
    ]
    return _joined([*head, *(_transaction(table, _restores(table)) for table in reversed(phase.tables))])


def _drops(table: PlannedTable) -> list[str]:
    lines = []
    for planned in table.triggers:
        trigger = planned.trigger
        lines.append(
            f"-- {trigger.timing} {' or '.join(trigger.events)} of each {trigger.level}: {trigger.function}, "
            f"{planned.columns or 'no known'} columns"
        )
        lines.append(f"{drop_of(trigger)};")
    return lines


def _restores(table: PlannedTable) -> list[str]:
    return [f"{statement};" for planned in table.triggers for statement in restore_of(planned.trigger)]


def _transaction(table: PlannedTable, lines: list[str]) -> str:
    head = [
        f"\n-- {table.name}",
        "begin;",
        f"set local lock_timeout = '{LOCK_TIMEOUT}';",
        "set local search_path = '';",
    ]
    return "\n".join([*head, *lines, "commit;"])


def _joined(parts: list[str]) -> str:
    return "\n".join(parts) + "\n"
