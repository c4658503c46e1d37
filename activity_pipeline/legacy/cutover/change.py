"""One table in one transaction: its triggers go or come back, and the record says so, or nothing happens.

What a crash leaves, and what the next run does:

    before a table's commit     the table as it was, no record     does the table
    after it                    changed, with its record           passes it over
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import psycopg
from psycopg import sql

from activity_pipeline.errors import LegacyError, StoreBusyError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.legacy.catalogue import Trigger, read_triggers
from activity_pipeline.legacy.cutover.steps import read_dropped, record
from activity_pipeline.legacy.plan.document import PlannedPhase, PlannedTable
from activity_pipeline.legacy.statements import drop_of, restore_of

_SQL = load_queries(__file__)
_BUSY = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


@dataclass(frozen=True, slots=True)
class Patience:
    """How to wait for a table that is in use: shortly, as everybody else waits behind, and again.

    Attributes:
        lock_timeout: How long one attempt waits.
        attempts: How many there are.
        pause: Longest pause between two.
    """

    lock_timeout: timedelta = timedelta(seconds=2)
    attempts: int = 20
    pause: timedelta = timedelta(seconds=5)


@dataclass(frozen=True, slots=True)
class Changed:
    """What became of a table.

    Attributes:
        table_name: schema.table.
        triggers: Names of those that went or came back.
        attempts: How often its lock was asked for.
        locked_ms: How long the transaction that did it had the table to itself, in milliseconds.
    """

    table_name: str
    triggers: Sequence[str]
    attempts: int
    locked_ms: float


def drop_phase(
    connection: Statements, phase: PlannedPhase, gate: Mapping[str, Mapping[str, Any]], patience: Patience
) -> Iterator[Changed]:
    """Drop the triggers of a phase, table by table; those that went before are passed over.

    Args:
        connection: To the application's database, by an owner of its tables.
        phase: What goes.
        gate: What is recorded of the parity of each table.
        patience: How to wait.

    Yields:
        Each table that was changed, once its transaction is over.

    Raises:
        LegacyError: A trigger is not as it was planned. Tables before it stay changed.
        StoreBusyError: A table was in use at every attempt.
    """
    for table in phase.tables:
        if _is_done(connection, table):
            continue  # without its lock
        change = partial(_drop, connection, phase, table, gate.get(table.name, {}))
        changed = _patiently(connection, table.name, table.relation, change, patience)
        if changed.triggers:
            yield changed


def _is_done(connection: Statements, table: PlannedTable) -> bool:
    with connection.transaction():
        connection.execute(_SQL["one_at_a_time"])
        gone = {each.planned.trigger.key for each in read_dropped(connection)}
        here = _here(connection, table.relation)
    names = [planned.trigger for planned in table.triggers]
    return all(trigger.key in gone and trigger.name not in here for trigger in names)


def _drop(
    connection: Statements, phase: PlannedPhase, table: PlannedTable, gate: Mapping[str, Any]
) -> list[str]:
    here = _here(connection, table.relation)
    gone = {each.planned.trigger.key for each in read_dropped(connection)}
    names = []
    for planned in table.triggers:
        trigger = planned.trigger
        if trigger.key in gone and trigger.name not in here:
            continue
        _require_same(trigger, here, "is not as it was planned, or is not there: plan anew")
        connection.execute(_quoted(drop_of(trigger)))
        record(connection, "drop", planned, phase=phase.number, phase_name=phase.name, gate=gate)
        names.append(trigger.name)
    return names


def restore_phase(connection: Statements, number: int, patience: Patience) -> Iterator[Changed]:
    """Make the triggers again that a phase's cutover dropped, the last table first.

    Each is read back before its transaction ends: what is not exactly as it was undoes the table's.

    Args:
        connection: To the application's database, by an owner of its tables.
        number: The phase.
        patience: How to wait.

    Yields:
        Each table that was changed, once its transaction is over.

    Raises:
        LegacyError: A trigger of that name is there and is another one, or it comes out different.
        StoreBusyError: A table was in use at every attempt.
    """
    with connection.transaction():
        connection.execute(_SQL["one_at_a_time"])
        gone = [each for each in read_dropped(connection) if each.phase == number]
    for relation, table_name in dict.fromkeys(
        (each.planned.trigger.relation, each.table_name) for each in gone
    ):
        change = partial(_restore, connection, number, relation)
        changed = _patiently(connection, table_name, relation, change, patience)
        if changed.triggers:
            yield changed


def _restore(connection: Statements, number: int, relation: str) -> list[str]:
    gone = [each for each in read_dropped(connection) if each.planned.trigger.relation == relation]
    back = [each for each in gone if each.phase == number]
    here = _here(connection, relation)
    for each in back:
        if each.planned.trigger.name not in here:
            for statement in restore_of(each.planned.trigger):
                connection.execute(_quoted(statement))
        record(connection, "restore", each.planned, phase=number, phase_name=each.phase_name, gate={})
    here = _here(connection, relation)
    for each in back:
        _require_same(each.planned.trigger, here, "does not come out as it was: see what is there now")
    if len(back) == len(gone):
        connection.execute(_SQL["uncount"], {"relation": relation})
    return [each.planned.trigger.name for each in back]


def _patiently(
    connection: Statements,
    table_name: str,
    relation: str,
    change: Callable[[], list[str]],
    patience: Patience,
) -> Changed:
    milliseconds = int(patience.lock_timeout.total_seconds() * 1000)
    for attempt in range(1, patience.attempts + 1):
        try:
            with connection.transaction():
                connection.execute(_SQL["wait"], {"lock_timeout": f"{milliseconds}ms"})
                connection.execute(_SQL["one_at_a_time"])
                connection.execute(_SQL["qualify"])
                connection.execute(sql.SQL(_SQL["lock_table"]).format(relation=_quoted(relation)))
                started = time.perf_counter()
                names = change()
        except _BUSY:
            if attempt < patience.attempts:
                # Another pause each time, so that two that are in each other's way come apart.
                time.sleep(random.uniform(0.2, 1.0) * patience.pause.total_seconds())  # noqa: S311
            continue
        except psycopg.Error as error:
            raise LegacyError(f"{table_name}: {error}", table_name=table_name) from error
        return Changed(table_name, names, attempt, (time.perf_counter() - started) * 1000)
    raise StoreBusyError(
        f"{table_name} was in use at each of {patience.attempts} attempts: it is as it was, run this again"
    )


def _quoted(text: str) -> sql.SQL:
    """Take a text as SQL: made of names and definitions that the catalogue itself has quoted."""
    return sql.SQL(text)


def _here(connection: Statements, relation: str) -> dict[str, Trigger]:
    return {each.name: each for each in read_triggers(connection, relation)}


def _require_same(trigger: Trigger, here: Mapping[str, Trigger], otherwise: str) -> None:
    found = here.get(trigger.name)
    if found != trigger:
        raise LegacyError(f"{trigger.key} {otherwise}", trigger=trigger, found=found)
