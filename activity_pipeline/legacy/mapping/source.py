"""An application's audit table as it is read: its columns, some rows, the rows of a day."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from psycopg import sql

from activity_pipeline.errors import LegacyError
from activity_pipeline.events.days import span_of
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.legacy.mapping.model import Mapping

_SQL = load_queries(__file__)
ROWS_PER_FETCH = 2_000


@contextmanager
def reading(dsn: str) -> Iterator[Statements]:
    """Connect to an application's database for one look at it: read-only, as of one moment, in UTC."""
    with connect(dsn) as connection, connection.transaction():
        connection.execute("set transaction isolation level repeatable read, read only")
        connection.execute("set local time zone 'UTC'")
        yield connection


def read_columns(connection: Statements, table: str) -> dict[str, str]:
    """Return the columns of a table in order, each with its type.

    Raises:
        LegacyError: There is no such table.
    """
    relation = _relation(connection, table)
    row = connection.execute(_SQL["exists"], {"relation": relation}).fetchone()
    if row is None or row[0] is None:
        raise LegacyError(f"there is no table {table}")
    return dict(connection.execute(_SQL["columns"], {"relation": relation}).fetchall())


def read_key(connection: Statements, table: str) -> tuple[str, ...]:
    """Return the columns of a table's primary key.

    Raises:
        LegacyError: It has none: nothing would name a row.
    """
    rows = connection.execute(_SQL["key"], {"relation": _relation(connection, table)}).fetchall()
    if not rows:
        raise LegacyError(f"{table} has no primary key: write a mapping by hand, with a key that is unique")
    return tuple(name for (name,) in rows)


def read_words(connection: Statements, table: str, column: str, time: str) -> list[str]:
    """Return what a column holds in the newest rows, 100 words at the most."""
    query = sql.SQL(_SQL["words"]).format(
        table=_identifier(table), column=sql.Identifier(column), time=sql.Identifier(time)
    )
    return [word for (word,) in connection.execute(query)]


def sample(connection: Statements, mapping: Mapping, rows: int) -> list[str]:
    """Return rows as JSON: the newest, and as many of any age."""
    return [row for (row,) in connection.execute(_query("sample", mapping), {"rows": rows})]


def rows_of(connection: Statements, mapping: Mapping, day: date) -> Iterator[str]:
    """Yield the rows of a UTC day as JSON, always in the same order; few of them are in memory.

    Args:
        connection: In a transaction.
        mapping: Says of which table.
        day: Which day.
    """
    with connection.cursor(name="activity_history") as cursor:
        cursor.itersize = ROWS_PER_FETCH
        for (row,) in cursor.execute(_query("rows", mapping), _bounds(mapping, day)):
            yield row


def count_rows(connection: Statements, mapping: Mapping, day: date) -> int:
    """Count the rows of a UTC day."""
    row = connection.execute(_query("count", mapping), _bounds(mapping, day)).fetchone()
    return int(row[0]) if row else 0


def read_span(connection: Statements, mapping: Mapping) -> tuple[date, date] | None:
    """Return the UTC days of the first and the last row that is on one; None without such rows."""
    row = connection.execute(_query("span", mapping)).fetchone()
    if row is None or row[0] is None:
        return None
    first, last = (_utc(at, mapping).date() for at in row)
    return first, last


def count_undated(connection: Statements, mapping: Mapping) -> int:
    """Count the rows that are on no day: without a time, at infinity, or in a year that no date has."""
    row = connection.execute(_query("undated", mapping)).fetchone()
    return int(row[0]) if row else 0


def _query(name: str, mapping: Mapping) -> sql.Composed:
    return sql.SQL(_SQL[name]).format(
        table=_identifier(mapping.table),
        time=sql.Identifier(mapping.time),
        key=sql.SQL(", ").join(map(sql.Identifier, mapping.key)),
    )


def _bounds(mapping: Mapping, day: date) -> dict[str, Any]:
    since, until = span_of([day])
    if mapping.time_zone:
        zone = ZoneInfo(mapping.time_zone)
        since, until = (at.astimezone(zone).replace(tzinfo=None) for at in (since, until))
    return {"since": since, "until": until}


def _utc(at: datetime, mapping: Mapping) -> datetime:
    aware = at if at.tzinfo else at.replace(tzinfo=ZoneInfo(mapping.time_zone or "UTC"))
    return aware.astimezone(UTC)


def _identifier(table: str) -> sql.Identifier:
    return sql.Identifier(*table.split(".", 1))


def _relation(connection: Statements, table: str) -> str:
    return _identifier(table).as_string(connection)
