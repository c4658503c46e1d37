"""Questions about events: the only SQL that reads them one by one.

A statement is put together from blocks of the .sql file, each a constant: a condition that is not asked
for is not there, because `$1 is null or source = $1` would have Postgres plan for both. It is planned
anew each time, with the values, where a value that is rare changes the plan (see plans.py).

A page is keys first, of every table that may hold some, and the rows of those keys afterwards: what is
sorted and thrown away is 24 bytes a row, and no metadata.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from psycopg import sql

from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.plans import Statement, fetch, fetch_each
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
INSTANT = timedelta(microseconds=1)
TABLES: Final = ("activity_logs_current", "activity_logs_late", "activity_logs_archive")
"""Where Postgres holds events: hot, late, restored."""


class Key(NamedTuple):
    """What events are sorted by: no two have the same."""

    timestamp: datetime
    id: UUID


FEW: Final = 5_000
"""So many keys are sorted rather than looked for in order."""

_LOOKED_UP: Final = frozenset(("user", "users", "entity_id", "event_id", "text", "metadata"))
"""Conditions that a sealed day is best asked for by their index, whatever their values."""

_UNORDERED: Final = frozenset(("text", "metadata"))
"""Those of them whose index knows no order."""

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
        is_sealed: Whether all its days have all indexes.
    """

    since: datetime
    until: datetime
    order: Order = "newest"
    after: Key | None = None
    is_sealed: bool = False

    def narrowed(self) -> Window:
        """Return the window with what `after` says in its instants: only they rule out partitions."""
        if self.after is None:
            return self
        if self.order == "newest":
            return replace(self, until=min(self.until, self.after.timestamp + INSTANT))
        return replace(self, since=max(self.since, self.after.timestamp))


def list_places(connection: Statements, first: date, last: date) -> list[DayPlace]:
    """Return where the events of the days from a first to a last one are, in order."""
    return [DayPlace(*row) for row in fetch(connection, _places(first, last))]


def _places(first: date, last: date) -> Statement:
    return Statement(sql.SQL(_SQL["days"]), {"first": first, "last": last}, is_kept=True)


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
    is_unordered = filters.text is not None or bool(filters.metadata)
    found = fetch(connection, keys_query(filters, window, limit, tables, is_unordered=is_unordered))
    many = {TABLES[place] for _, _, place, count in found if count > FEW}
    rows = [row for row in found if TABLES[row[2]] not in many]
    if many:
        # The first ones are soon met in the order of the primary key.
        rows += fetch(connection, keys_query(filters, window, limit, sorted(many)))
    return [(Key(timestamp, key), TABLES[place]) for timestamp, key, place, _ in rows]


def keys_query(
    filters: Filters, window: Window, limit: int, tables: Sequence[str], *, is_unordered: bool = False
) -> Statement:
    """Return the statement of `find_keys`.

    Args:
        filters: As there.
        window: As there.
        limit: As there.
        tables: As there.
        is_unordered: Find up to FEW in any order before they are sorted, rather than in order.
    """
    window = window.narrowed()
    conditions, parameters = _conditions(filters, window)
    parts = [
        sql.SQL(_SQL["few_keys" if is_unordered else "keys"]).format(
            number=sql.Literal(TABLES.index(table)),
            table=sql.Identifier(table),
            conditions=conditions,
            order=sql.SQL(_SQL[window.order]),
            # Not a parameter: a plan that is kept has to know how much is wanted.
            limit=sql.Literal(limit),
            few=sql.Literal(FEW),
        )
        for table in tables
    ]
    asked = filters.conditions().keys()
    # The plan of a walk in order is one for what is frequent; that of a look-up is not.
    is_known = bool(_LOOKED_UP & asked) and (is_unordered or not _UNORDERED & asked)
    is_kept = window.is_sealed and (is_known or not asked)
    return Statement(sql.SQL("\nunion all\n").join(parts), parameters, is_kept=is_kept)


def fetch_rows(
    connection: Statements, keys: Collection[tuple[Key, str]], first: date, last: date
) -> tuple[dict[Key, Row], list[DayPlace]]:
    """Return the events of keys, and where the events of some days are after that; in one round trip.

    Args:
        connection: Postgres.
        keys: Each with its table; an event that has gone meanwhile is absent from the answer.
        first: The first of the days.
        last: The last one.
    """
    wanted = {table: [key for key, place in keys if place == table] for table in TABLES}
    statements = [rows_query(some, table) for table, some in wanted.items() if some]
    *found, places = fetch_each(connection, [*statements, _places(first, last)])
    rows = {Key(row[1], row[0]): row for some in found for row in some}
    return rows, [DayPlace(*row) for row in places]


def rows_query(keys: Sequence[Key], table: str) -> Statement:
    """Return the statement of `fetch_rows` for one table."""
    stamps = [key.timestamp for key in keys]
    parameters = {
        "timestamps": stamps,
        "ids": [key.id for key in keys],
        "since": min(stamps),
        "until": max(stamps),
    }
    query = sql.SQL(_SQL["rows"]).format(table=sql.Identifier(table))
    return Statement(query, parameters, is_kept=True)


def count_events(
    connection: Statements, filters: Filters, window: Window, limit: int, tables: Sequence[str] = TABLES
) -> int:
    """Count the events of a window, up to a limit."""
    found = 0
    for table in tables:
        if found < limit:
            ((count,),) = fetch(connection, scan_query("count", filters, window, limit - found, table))
            found += count
    return found


def count_values(
    connection: Statements, filters: Filters, window: Window, limit: int, tables: Sequence[str] = TABLES
) -> list[tuple[str, str, int]]:
    """Count field, value and events of the newest events of a window, up to a limit for each table.

    A row whose field is `total` counts them all.
    """
    found: list[tuple[str, str, int]] = []
    for table in tables:
        found += fetch(connection, scan_query("facets", filters, window, limit, table))
    return found


def scan_query(block: str, filters: Filters, window: Window, limit: int, table: str) -> Statement:
    """Return the statement of a block that reads a window of one table."""
    window = window.narrowed()
    conditions, parameters = _conditions(filters, window)
    query = sql.SQL(_SQL[block]).format(table=sql.Identifier(table), conditions=conditions)
    return Statement(query, {**parameters, "limit": limit})


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
    blocks = [name for name in asked if name != "text"]
    if "text" in asked:
        blocks += ["text"] if window.is_sealed else ["text_beginnings", "text"]
    if window.after is not None:
        blocks.append("before" if window.order == "newest" else "after")
        parameters |= {"at": window.after.timestamp, "after_id": window.after.id}
    return sql.SQL(" ").join(sql.SQL(_SQL[name]) for name in blocks), parameters
