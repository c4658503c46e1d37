"""What each trigger is, which of them say the same, and when each of them may go. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from activity_pipeline.legacy.catalogue import Catalogue, Trigger
from activity_pipeline.legacy.inventory.audit_table import AuditTable
from activity_pipeline.legacy.inventory.bodies import Body, read_bodies
from activity_pipeline.legacy.inventory.overrides import Overrides, Phase, Verdict

_AUDIT_NAME = re.compile(
    r"(?:^|[._])(?:audit|audits|history|log|logs|logged|changes|activity|activities|journal|trail)(?:[._]|$)",
    re.IGNORECASE,
)
BY_PEOPLE = 0.5
"""Share of a table's audit rows that name a user from which on it is user-facing."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A trigger, and what is known of it.

    Attributes:
        trigger: It.
        verdict: audit: it writes audit rows and nothing else; mixed: something else, too; unknown: it cannot
            be told; other: it writes no audit row.
        writes: Tables that it writes.
        columns: The most columns of an audit table that one of its inserts fills.
        why: What the verdict rests on.
        said: Whether a person said so.
        group: Others of the same table, level and event that audit, too.
        phase: When it may go; none where it stays.
        rows_a_day: Audit rows of its table; none where that is not known.
        mean_ms: What a call costs, in milliseconds; none where that was not measured.
        calls: Calls that this was measured over.
    """

    trigger: Trigger
    verdict: Verdict
    writes: tuple[str, ...]
    columns: int
    why: tuple[str, ...]
    said: bool
    group: tuple[str, ...] = ()
    phase: Phase | None = None
    rows_a_day: float | None = None
    mean_ms: float | None = None
    calls: int = 0


def find_audit_tables(
    catalogue: Catalogue, bodies: Mapping[str, Body], overrides: Overrides
) -> tuple[str, ...]:
    """Return the tables that hold audit rows: as said, or those with such a name that triggers write to."""
    if overrides.audit_tables:
        return overrides.audit_tables
    written = {
        table
        for trigger in catalogue.triggers
        for table in bodies.get(trigger.function, Body()).writes
        if table != trigger.table_name
    }
    return tuple(sorted(table for table in written if _AUDIT_NAME.search(table)))


def judge(catalogue: Catalogue, overrides: Overrides) -> tuple[list[Judged], tuple[str, ...]]:
    """Judge every trigger; return them and the audit tables."""
    bodies = read_bodies(catalogue)
    audit_tables = find_audit_tables(catalogue, bodies, overrides)
    judged = [
        _judged(each, bodies.get(each.function, Body()), audit_tables, overrides)
        for each in catalogue.triggers
    ]
    return judged, audit_tables


def _judged(trigger: Trigger, body: Body, audit_tables: Sequence[str], overrides: Overrides) -> Judged:
    audits = [table for table in body.writes if table in audit_tables]
    others = sorted(table for table in body.writes if table not in audit_tables)
    columns = max((body.writes[table] for table in audits), default=0)
    effects = [f"writes {table}" for table in others]
    effects += sorted(body.acts - {"raises"})
    if "raises" in body.acts:
        effects.append("may refuse the change")
    if body.changes_row and trigger.timing == "before":
        effects.append("changes the row")
    verdict: Verdict
    if audits and effects:
        verdict, why = "mixed", [*(f"writes {table}" for table in audits), *effects]
    elif body.unseen:
        verdict, why = "unknown", [*sorted(body.unseen), *effects]
    elif audits:
        verdict, why = "audit", [f"writes {table}" for table in audits]
    else:
        verdict, why = "other", effects or ["writes nothing"]
    said = overrides.triggers.get(trigger.key) or overrides.functions.get(trigger.function)
    if said:
        verdict, why = said, ["a person said so", *why]
    if trigger.is_of_extension:
        why.append("belongs to an extension: it goes with that alone")
    return Judged(trigger, verdict, tuple(body.writes), columns, tuple(why), bool(said))


def with_groups(judged: Sequence[Judged]) -> list[Judged]:
    """Say of each audit trigger which others audit the same."""
    return [replace(each, group=tuple(_beside(each, judged))) for each in judged]


def _beside(one: Judged, judged: Iterable[Judged]) -> list[str]:
    if one.verdict != "audit":
        return []
    return [
        other.trigger.name
        for other in judged
        if other.verdict == "audit"
        and other.trigger.name != one.trigger.name
        and (other.trigger.relation, other.trigger.level) == (one.trigger.relation, one.trigger.level)
        and set(other.trigger.events) & set(one.trigger.events)
    ]


def with_phases(judged: Sequence[Judged], overrides: Overrides, audits: Sequence[AuditTable]) -> list[Judged]:
    """Say of each audit trigger when it may go.

    A trigger is redundant where for each event and kind of session another one, which is unconditional and
    fills at least as many columns, stays. The others go with their table: as the file says, else by whether
    the rows of the last week name users. What nobody has written is of the rest.
    """
    keepers = _keepers(judged)
    return [
        replace(each, phase=_phase(each, keepers, overrides, audits))
        if each.verdict == "audit" and not each.trigger.is_of_extension
        else each
        for each in judged
    ]


Slot = tuple[str, str, str, str]


def _slots(trigger: Trigger) -> list[Slot]:
    return [
        (trigger.relation, trigger.level, event, mode)
        for event in trigger.events
        for mode in sorted(trigger.modes)
    ]


def _keepers(judged: Sequence[Judged]) -> dict[Slot, str]:
    """Return by table, level, event and session the name of the trigger that tells most."""
    best: dict[Slot, Judged] = {}
    for each in sorted(judged, key=lambda each: (-each.columns, each.trigger.name)):
        if each.verdict == "audit" and not each.trigger.is_conditional:
            for slot in _slots(each.trigger):
                best.setdefault(slot, each)
    return {slot: each.trigger.name for slot, each in best.items()}


def _phase(
    one: Judged, keepers: Mapping[Slot, str], overrides: Overrides, audits: Sequence[AuditTable]
) -> Phase:
    if all(keepers.get(slot, one.trigger.name) != one.trigger.name for slot in _slots(one.trigger)):
        return "redundant"
    if phase := overrides.phase_of(one.trigger.table_name):
        return phase
    share = of_table(one.trigger.table_name, [audit.by_user for audit in audits])
    return "rest" if share is None else "user-facing" if share >= BY_PEOPLE else "system"


def of_table(table_name: str, figures: Sequence[Mapping[str, float]]) -> float | None:
    """Return the largest figure of a table that audit rows name with or without its schema."""
    names = (table_name, table_name.partition(".")[2])
    found = [each[name] for each in figures for name in names if name in each]
    return max(found, default=None)
