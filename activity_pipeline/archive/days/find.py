"""The events of one user or entity, wherever they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from activity_pipeline.archive.chain.index import files_of, newest_entries
from activity_pipeline.archive.chain.manifest import DataFile, DayEntry
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.holds import Hold, list_holds
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.hot.subjects import Found, Letters, find_letters, find_rows, refuse_held

_SQL = load_queries(__file__)
_HOLD_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("user_id", pa.string()),
        ("entity_type", pa.string()),
        ("entity_id", pa.string()),
        ("first_day", pa.date32()),
        ("last_day", pa.date32()),
    ]
)


@dataclass(frozen=True, slots=True)
class Findings:
    """A subject's events, none of them held.

    Attributes:
        found: How many there are, by place and day.
        letters: Those of them that are dead letters.
        entries: The archive as it was looked at.
        files: Files that hold some of them.
        holds: The legal holds in force.
    """

    found: list[Found]
    letters: Letters
    entries: dict[date, DayEntry]
    files: list[DataFile]
    holds: list[Hold]


def find(
    statements: Statements, store: ArchiveStore, connection: duckdb.DuckDBPyConnection, subject: Subject
) -> Findings:
    """Look for a subject in Postgres and in the archive; changes nothing.

    Raises:
        HoldError: The subject is held, or one of the events is.
        ArchiveError: A manifest cannot be read.
    """
    holds = list_holds(statements)
    for hold in holds:
        if hold.subject == subject:
            raise hold.refusal()
    letters = find_letters(statements, subject, holds)
    found = [*find_rows(statements, subject), *letters.found]
    refuse_held(found, holds)
    entries = newest_entries(store)
    files = files_of(entries.values())
    archived, paths = _find_archived(store, connection, list(files), subject, holds)
    return Findings([*found, *archived], letters, entries, [files[path] for path in paths], holds)


def matches(subject: Subject) -> duckdb.Expression:
    """Return the condition that a row is about a subject: true, false or null."""
    column, constant = duckdb.ColumnExpression, duckdb.ConstantExpression
    if subject.user_id is not None:
        return column("user_id") == constant(subject.user_id)
    return (column("entity_type") == constant(subject.entity_type)) & (
        column("entity_id") == constant(subject.entity_id)
    )


def _find_archived(
    store: ArchiveStore,
    connection: duckdb.DuckDBPyConnection,
    paths: Sequence[str],
    subject: Subject,
    holds: Sequence[Hold],
) -> tuple[list[Found], list[str]]:
    """Return the rows by day, and the files that hold them."""
    if not paths:
        return [], []
    store.register(connection)
    named = {store.duckdb_path(path): path for path in paths}
    with connection.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'")
        matched = cursor.read_parquet(list(named), filename=True).filter(matches(subject))
        counts = _asked(matched, "count")
        touched = sorted({file for file, _, _ in counts})
        if holds and touched:
            # Of the others a hold cannot cover a row either.
            matched = cursor.read_parquet(touched, filename=True).filter(matches(subject))
            cursor.register(
                "holds", pa.Table.from_pylist([_plain(asdict(hold)) for hold in holds], _HOLD_SCHEMA)
            )
            ((held,),) = _asked(matched, "held")
            for hold in holds:
                if hold.id == held:
                    raise hold.refusal()
    days: Counter[date] = Counter()
    for _, day, rows in counts:
        days[day] += rows
    return [Found("archive", day, rows) for day, rows in sorted(days.items())], [
        named[file] for file in touched
    ]


def _asked(matched: duckdb.DuckDBPyRelation, query: str) -> list[tuple[Any, ...]]:
    answer = matched.query("matched", _SQL[query])
    if answer is None:
        raise AssertionError("a select returns a relation")
    return answer.fetchall()


def _plain(hold: Mapping[str, object]) -> dict[str, object]:
    user_id = hold["user_id"]
    return {**hold, "user_id": user_id and str(user_id)}
