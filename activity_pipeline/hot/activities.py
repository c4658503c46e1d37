"""Questions about events: the only SQL that reads them one by one.

A statement is put together from blocks of the .sql file, each a constant: a condition that is not asked
for is not there, because `$1 is null or source = $1` would have Postgres plan for both. It is planned
anew each time, with the values: a partition that they rule out, or a value that is rare, changes the plan.

A page is keys first, of every table that may hold some, and the rows of those keys afterwards: what is
sorted and thrown away is 24 bytes a row, and no metadata.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import sql
from psycopg.rows import class_row

from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
INSTANT = timedelta(microseconds=1)
TABLES: Final = ("activity_logs_current", "activity_logs_late", "activity_logs_archive")
"""Where Postgres holds events: hot, late, restored."""


class Key(NamedTuple):
    """What events are sorted by: no two have the same."""

    timestamp: datetime
    id: UUID


Row = tuple[Any, ...]
"""The nine fields of an event in the order of FIELDS; its metadata is JSON text."""


@dataclass(frozen=True, slots=True)
class DayPlace:
    """Where the events of a day are.

    Attributes:
        day: The UTC day.
        revision: Grows with each change of its events.
        retired_generation: The newest generation whose rows have left Postgres, 0 for none.
        manifest: Its newest manifest.
        is_restored: Whether Postgres holds what its archive does.
        is_open: Whether it is taking events as the present day does.
    """

    day: date
    revision: int
    retired_generation: int
    manifest: str | None
    is_restored: bool
    is_open: bool

    @property
    def is_cold(self) -> bool:
        """Whether some of its events are in Parquet alone."""
        return self.retired_generation > 0 and not self.is_restored

    @property
    def place(self) -> tuple[date, int, bool]:
        """What changes when events of it move."""
        return (self.day, self.retired_generation, self.is_restored)


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of time a statement reads, and how.

    Attributes:
        since: The first instant.
        until: The first instant that is too late.
        order: In which order.
        after: The key after which it begins, in that order.
    """

    since: datetime
    until: datetime
    order: Order = "newest"
    after: Key | None = None

    def narrowed(self) -> Window:
        """Return the window with what `after` says in its instants: only they rule out partitions."""
        if self.after is None:
            return self
        if self.order == "newest":
            until = min(self.until, self.after.timestamp + INSTANT)
            return Window(self.since, until, self.order, self.after)
        return Window(max(self.since, self.after.timestamp), self.until, self.order, self.after)


def list_places(connection: Statements, first: date, last: date) -> list[DayPlace]:
    """Return where the events of the days from a first to a last one are, in order."""
    with connection.cursor(row_factory=class_row(DayPlace)) as cursor:
        return cursor.execute(_SQL["days"], {"first": first, "last": last}).fetchall()


def find_keys(
    connection: Statements,
    filters: Filters,
    window: Window,
    limit: int,
    tables: Sequence[str] = TABLES,
) -> list[tuple[Key, str]]:
    """Return the first keys of a window, each with its table; not sorted among the tables.

    Args:
        connection: Postgres.
        filters: What events must be like; its instants are in `window` already.
        window: Which part of time.
        limit: Keys of each table.
        tables: Some of TABLES.
    """
    query, parameters = keys_query(filters, window, limit, tables)
    rows = connection.execute(query, parameters, prepare=False).fetchall()
    return [(Key(timestamp, found), TABLES[place]) for timestamp, found, place in rows]


def keys_query(
    filters: Filters, window: Window, limit: int, tables: Sequence[str]
) -> tuple[sql.Composed, dict[str, Any]]:
    """Return the statement of `find_keys` and its parameters."""
    window = window.narrowed()
    conditions, parameters = _conditions(filters, window)
    parts = [
        sql.SQL(_SQL["keys"]).format(
            number=sql.Literal(TABLES.index(table)),
            table=sql.Identifier(table),
            conditions=conditions,
            order=sql.SQL(_SQL[window.order]),
        )
        for table in tables
    ]
    return sql.SQL("\nunion all\n").join(parts), {**parameters, "limit": limit}


def fetch_rows(connection: Statements, keys: Collection[tuple[Key, str]]) -> dict[Key, Row]:
    """Return the events of keys; one that has gone meanwhile is absent."""
    rows: dict[Key, Row] = {}
    for table in TABLES:
        if wanted := [key for key, place in keys if place == table]:
            for row in connection.execute(*rows_query(wanted, table), prepare=False):
                rows[Key(row[1], row[0])] = row
    return rows


def rows_query(keys: Sequence[Key], table: str) -> tuple[sql.Composed, dict[str, Any]]:
    """Return the statement of `fetch_rows` for one table and its parameters."""
    stamps = [key.timestamp for key in keys]
    parameters = {
        "timestamps": stamps,
        "ids": [key.id for key in keys],
        "since": min(stamps),
        "until": max(stamps),
    }
    return sql.SQL(_SQL["rows"]).format(table=sql.Identifier(table)), parameters


def count_events(
    connection: Statements, filters: Filters, window: Window, limit: int, tables: Sequence[str] = TABLES
) -> int:
    """Count the events of a window, up to a limit."""
    found = 0
    for table in tables:
        if found < limit:
            query, parameters = scan_query("count", filters, window, limit - found, table)
            row = connection.execute(query, parameters, prepare=False).fetchone()
            found += row[0] if row else 0
    return found


def count_values(
    connection: Statements, filters: Filters, window: Window, limit: int, tables: Sequence[str] = TABLES
) -> list[tuple[str, str, int]]:
    """Count field, value and events of the newest events of a window, up to a limit for each table.

    A row whose field is `total` counts them all.
    """
    found: list[tuple[str, str, int]] = []
    for table in tables:
        query, parameters = scan_query("facets", filters, window, limit, table)
        found += connection.execute(query, parameters, prepare=False).fetchall()
    return found


def scan_query(
    block: str, filters: Filters, window: Window, limit: int, table: str
) -> tuple[sql.Composed, dict[str, Any]]:
    """Return the statement of a block that reads a window of one table, and its parameters."""
    window = window.narrowed()
    conditions, parameters = _conditions(filters, window)
    query = sql.SQL(_SQL[block]).format(table=sql.Identifier(table), conditions=conditions)
    return query, {**parameters, "limit": limit}


def lexemes_of(connection: Statements, text: str) -> list[str]:
    """Return the words of a text as the search has them; none where all are too common to be searched."""
    row = connection.execute(_SQL["lexemes"], {"text": text}).fetchone()
    return list(row[0]) if row else []


def texts_match(connection: Statements, text: str, texts: Collection[tuple[str, str | None]]) -> list[bool]:
    """Tell of each action and description (JSON text) whether together they have all words of a text."""
    actions, descriptions = [each[0] for each in texts], [each[1] for each in texts]
    asked = {"text": text, "actions": actions, "descriptions": descriptions}
    return [row[0] for row in connection.execute(_SQL["texts_match"], asked, prepare=False)]


def _conditions(filters: Filters, window: Window) -> tuple[sql.Composed, dict[str, Any]]:
    """Return the conditions that a question asks for and the values of their parameters."""
    asked = filters.conditions()
    parameters = {**asked, "since": window.since, "until": window.until}
    blocks = list(asked)
    if window.after is not None:
        blocks.append("before" if window.order == "newest" else "after")
        parameters |= {"at": window.after.timestamp, "after_id": window.after.id}
    return sql.SQL(" ").join(sql.SQL(_SQL[name]) for name in blocks), parameters
