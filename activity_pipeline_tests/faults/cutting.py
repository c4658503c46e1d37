"""Cutovers and rollbacks that a test may kill."""

from __future__ import annotations

from collections.abc import Callable

from activity_pipeline.hot.connection import connect
from activity_pipeline.legacy.cutover import Request, StoredParity, change, cutover, rollback, steps
from activity_pipeline.legacy.plan import Plan
from activity_pipeline_tests.faults.children import _after, _at_query
from activity_pipeline_tests.integration.legacy.conftest import WINDOW

CRASHES: dict[str, Callable[[], None]] = {
    "before the first lock": lambda: _at_query(change, "lock_table"),
    "inside the first table": lambda: _at_query(steps, "record"),
    "after the first table": lambda: _after(change, "_patiently"),
    "inside a later table": lambda: _at_query(steps, "record", call=9),
    "before a later lock": lambda: _at_query(change, "lock_table", call=4),
    "after a later table": lambda: _after(change, "_patiently", call=3),
}
"""Where a cutover or a rollback can be told to kill itself: the rows of the table in cutover/change.py."""


def cut_and_die(dsn: str, plan: Plan, number: int, crash: str) -> None:
    """Do a phase and die of SIGKILL at a point of CRASHES."""
    CRASHES[crash]()
    _cut(dsn, plan, number)


def restore_and_die(dsn: str, number: int, crash: str) -> None:
    """Undo a phase and die of SIGKILL at a point of CRASHES."""
    CRASHES[crash]()
    with connect(dsn) as application:
        list(rollback(application, number))


def to_and_fro(dsn: str, plan: Plan, number: int) -> None:
    """Do a phase and undo it until killed."""
    while True:
        _cut(dsn, plan, number)
        with connect(dsn) as application:
            list(rollback(application, number))


def _cut(dsn: str, plan: Plan, number: int) -> None:
    with connect(dsn) as application, connect(dsn) as ours:
        list(cutover(application, Request(plan, number, WINDOW), StoredParity(ours)))
