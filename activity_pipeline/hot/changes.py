"""Events that tell of changes of rows in an application's tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
ROWS_AT_ONCE = 5000


@dataclass(frozen=True, slots=True)
class ToldChange:
    """An event of a change.

    Attributes:
        txid: The application's transaction, as txid_current() says it.
        table_name: As the event names it, with or without its schema.
        operation: INSERT, UPDATE or DELETE.
        key: The row's primary key, parts joined by commas; none for many rows.
        at: When it was logged.
        rows: How many rows it tells of; none for one.
        old: Columns before the change, as JSON.
        new: Columns after it, as JSON.
        cut: Names of columns whose values were too long, as JSON.
    """

    txid: int
    table_name: str
    operation: str
    key: str | None
    at: datetime
    rows: int | None = None
    old: str | None = None
    new: str | None = None
    cut: str | None = None


def told_changes(
    connection: Statements, after: datetime, until: datetime, sources: Sequence[str] | None = None
) -> Iterator[ToldChange]:
    """Yield the events of changes by transaction, streamed.

    Args:
        connection: Kept in a transaction until the last one is taken.
        after: From when on.
        until: Until when, not included.
        sources: The only ones to look at; None for all.
    """
    span = {"after": after, "until": until, "sources": None if sources is None else list(sources)}
    with (
        connection.transaction(),
        connection.cursor("told_changes", row_factory=class_row(ToldChange)) as cursor,
    ):
        cursor.itersize = ROWS_AT_ONCE
        yield from cursor.execute(_SQL["changes"], span)
