"""The events of one user or entity in Postgres: found, counted, erased.

A delete and what the ledger says of it are one transaction. It needs no lock against the drain: rows
that a batch commits later were in the queue when the erasure looked there, and are named with it.
Whoever calls holds the chain, so no day is frozen meanwhile, and none is left that is exported.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal, TypeAlias
from uuid import UUID

import psycopg
from psycopg.rows import class_row

from activity_pipeline.events.frame import lines_of, salvage
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.dead_letters import DeadLetter, Selection, read_dead_letters
from activity_pipeline.hot.holds import Hold, settled
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)

Place: TypeAlias = Literal["hot", "late", "archive", "dead_letters", "restored", "replayed_letters"]
COPIES: tuple[Place, ...] = ("restored", "replayed_letters")
"""Places of what is stored elsewhere too, and counts there."""
_LEDGERED: tuple[Place, ...] = ("hot", "late")


@dataclass(frozen=True, slots=True)
class Found:
    """Events of a subject.

    Attributes:
        place: Where.
        day: Their UTC day; that of arrival for dead letters.
        rows: How many.
        hold: A legal hold that covers one of them.
    """

    place: Place
    day: date
    rows: int
    hold: int | None = None


@dataclass(frozen=True, slots=True)
class Letters:
    """Dead letters of a subject.

    Attributes:
        ids: Their numbers.
        found: Their events, by place and day.
        unreadable: Frames so damaged that nobody can tell whose events they hold.
    """

    ids: list[int]
    found: list[Found]
    unreadable: int


def find_rows(connection: Statements, subject: Subject) -> list[Found]:
    """Count a subject's rows."""
    with connection.cursor(row_factory=class_row(Found)) as cursor:
        return cursor.execute(_SQL["count"], _named(subject)).fetchall()


def find_letters(connection: Statements, subject: Subject, holds: Sequence[Hold]) -> Letters:
    """Read all dead letters, and return those about a subject.

    What cannot be read as an event is searched for the subject's text, so that in doubt it counts as his.
    """
    ids: list[int] = []
    unreadable = 0
    found: dict[tuple[Place, date], tuple[int, int | None]] = {}
    for letter in read_dead_letters(connection, Selection(state=None)):
        lines, is_whole = _lines(letter)
        unreadable += not is_whole
        if not any(map(subject.is_of_line, lines)):
            continue
        day = letter.received_at.date()
        place: Place = "replayed_letters" if letter.state == "replayed" else "dead_letters"
        rows, hold = found.get((place, day), (0, None))
        held = (each.id for each in holds if any(each.covers_line(line, day) for line in lines))
        ids.append(letter.id)
        found[place, day] = (rows + letter.event_count, hold or next(held, None))
    return Letters(ids, [Found(*key, *value) for key, value in sorted(found.items())], unreadable)


def erase_rows(
    connection: Statements, erasure: UUID, subject: Subject, letters: Collection[int], holds: Sequence[Hold]
) -> None:
    """Erase a subject's rows and blank his dead letters, all or nothing, and count them for the erasure.

    Args:
        connection: With the chain's lock.
        erasure: Its id.
        subject: Whose.
        letters: Numbers of the dead letters.
        holds: Those that were in force when it was decided.

    Raises:
        HoldError: A hold covers a row, or the holds have changed.
    """
    with settled(connection, holds), connection.cursor(row_factory=class_row(Found)) as cursor:
        # Letters first: a replay locks its letters, and then waits for nobody who waits for them.
        blanked = cursor.execute(_SQL["blank"], {"ids": list(letters)}).fetchall()
        erased = cursor.execute(_SQL["erase"], _named(subject)).fetchall()
        refuse_held(erased, holds)
        stored = [each for each in erased if each.place in _LEDGERED]
        days, rows = [each.day for each in stored], [each.rows for each in stored]
        cursor.execute(_SQL["count_erased"], {"days": days, "rows": rows})
        cursor.execute(_SQL["revise"], {"days": days})
        note_erased(connection, erasure, [*blanked, *erased])


def erase_copies(connection: Statements, erasure: UUID, subject: Subject) -> None:
    """Erase rows that were restored from files which are gone by now."""
    with connection.transaction(), connection.cursor(row_factory=class_row(Found)) as cursor:
        note_erased(connection, erasure, cursor.execute(_SQL["erase_copies"], _named(subject)).fetchall())


def refuse_held(found: Sequence[Found], holds: Sequence[Hold]) -> None:
    """Raise HoldError where a hold covers a row."""
    by_id = {hold.id: hold for hold in holds}
    for each in found:
        if each.hold is not None:
            raise by_id[each.hold].refusal()


def note_erased(connection: Statements, erasure: UUID, found: Sequence[Found]) -> None:
    """Add what was taken to what the erasure has taken already."""
    with connection.cursor() as cursor:
        cursor.executemany(
            _SQL["note"],
            [{"erasure": erasure, "place": each.place, "day": each.day, "rows": each.rows} for each in found],
        )


def vacuum(connection: Statements, erasure: UUID) -> bool:
    """Remove the dead rows that an erasure left, with their keys in the indexes.

    Returns:
        False where this is for the owner of the tables to do, and was not done.

    Raises:
        psycopg.Error: Postgres refused it.
    """
    # To anybody else Postgres gives a warning, and goes on.
    row = connection.execute(_SQL["is_owner"]).fetchone()
    if not (row and row[0]):
        return False
    for (table,) in connection.execute(_SQL["touched_tables"], {"erasure": erasure}).fetchall():
        name = psycopg.sql.Identifier(table)
        connection.execute(psycopg.sql.SQL("vacuum (index_cleanup on, truncate off) {}").format(name))
    return True


def _lines(letter: DeadLetter) -> tuple[list[bytes], bool]:
    """Return what can be read of a letter, and whether that is all of it."""
    if not letter.is_entry:
        return [letter.line], True
    body, is_whole = salvage(letter.line)
    return [*lines_of(body), letter.other_fields or b""], is_whole


def _named(subject: Subject) -> dict[str, object]:
    return {
        "user_id": subject.user_id,
        "entity_type": subject.entity_type,
        "entity_id": subject.entity_id,
    }
