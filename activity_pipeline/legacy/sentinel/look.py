"""What changes tables whose audit triggers are gone, and is told by no event.

Two ways to count changes: Postgres's own statistics, which cost nothing and count rolled-back changes too,
or a trigger for each statement, which counts exactly what was committed and costs a statement some
microseconds. A table counted by triggers is read from these.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import LiteralString

import psycopg

from activity_pipeline.errors import LegacyError, StoreBusyError
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.coverage import Look, Method, keep_looks, newest_looks, settle_looks
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.legacy.cutover.steps import is_installed, read_dropped
from activity_pipeline.settings import packaged

_SQL = load_queries(__file__)
GRACE = timedelta(minutes=5)
"""How long an event may take from the application into the tables."""


def watched_tables(application: Statements) -> dict[str, str]:
    """Return the tables that have lost more than redundant triggers: schema.table, and the same quoted."""
    gone = [each for each in read_dropped(application) if each.phase_name != "redundant"]
    return {each.table_name: each.planned.trigger.relation for each in reversed(gone)}


def count_by_triggers(application: Statements, tables: Mapping[str, str], *, lock_timeout: timedelta) -> None:
    """Set up what counts the changes of tables, statement by statement.

    Args:
        application: By an owner of the tables.
        tables: schema.table, and the same quoted.
        lock_timeout: How long to wait for each table.

    Raises:
        LegacyError: There are no records of a cutover here.
        StoreBusyError: A table is in use; those before it are counted.
    """
    if not is_installed(application):
        raise LegacyError("there are no records in the application's database: there was no cutover")
    application.execute(_text())
    _each(application, tables, "count", lock_timeout)


def count_no_longer(application: Statements, tables: Mapping[str, str], *, lock_timeout: timedelta) -> None:
    """Take away what counts; Postgres's statistics go on.

    Raises:
        StoreBusyError: A table is in use; those before it are done.
    """
    _each(application, tables, "uncount", lock_timeout)


def _each(application: Statements, tables: Mapping[str, str], what: str, lock_timeout: timedelta) -> None:
    wait = f"{int(lock_timeout.total_seconds() * 1000)}ms"
    for table_name, relation in tables.items():
        try:
            with application.transaction():
                application.execute(_SQL["wait"], {"lock_timeout": wait})
                application.execute(_SQL[what], {"relation": relation})
        except psycopg.errors.LockNotAvailable as error:
            raise StoreBusyError(f"{table_name} is in use: run this again") from error


def look(application: Statements, ours: Statements, *, grace: timedelta = GRACE) -> list[Look]:
    """Count the changes of the watched tables, and the events of the looks before; return this look.

    Args:
        application: The application's database.
        ours: The events.
        grace: How long an event may take to arrive. Looks older than that are settled.
    """
    before = newest_looks(ours)
    looks = []
    _add_up(application)
    for table_name, relation in watched_tables(application).items():
        method, counter, at = _counter(application, relation)
        last = before.get(table_name)
        if last is None or last.method != method or counter < last.counter:
            looks.append(Look(table_name, at, method, at, counter, 0, 0))
        else:
            changes = last.changes + counter - last.counter
            looks.append(Look(table_name, at, method, last.since, counter, changes))
    now = _now(application)
    keep_looks(ours, looks, now)
    settle_looks(ours, now - grace)
    return looks


def _add_up(application: Statements) -> None:
    row = application.execute(_SQL["counts"]).fetchone()
    if row and row[0]:
        application.execute(_SQL["add_up"])


def _counter(application: Statements, relation: str) -> tuple[Method, int, datetime]:
    row = application.execute(_SQL["counts"]).fetchone()
    methods: list[tuple[Method, LiteralString]] = [("statistics", _SQL["statistics"])]
    if row and row[0]:
        methods.insert(0, ("triggers", _SQL["counted"]))
    for method, query in methods:
        found = application.execute(query, {"relation": relation}).fetchone()
        if found:
            return method, int(found[0]), _now(application)
    raise LegacyError(f"Postgres counts no changes of {relation}")


def _now(application: Statements) -> datetime:
    row = application.execute(_SQL["now"]).fetchone()
    if row is None:
        raise AssertionError("a select without from returns one row")
    at: datetime = row[0]
    return at


def _text() -> LiteralString:
    return (packaged("sql") / "legacy_kit" / "sentinel.sql").read_text()
