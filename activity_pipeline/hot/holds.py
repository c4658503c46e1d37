"""Legal holds: what must not be erased, and on whose word."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal
from uuid import UUID

from psycopg.rows import class_row

from activity_pipeline.errors import HoldError
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Hold:
    """A row of `activity_legal_holds`; see the comments of its columns."""

    id: int
    kind: Literal["user", "entity", "days"]
    user_id: UUID | None
    entity_type: str | None
    entity_id: str | None
    first_day: date | None
    last_day: date | None
    reason: str
    held_by: str
    held_since: datetime
    removed_at: datetime | None
    removed_by: str | None
    removed_reason: str | None

    @property
    def subject(self) -> Subject | None:
        """The user or entity that is held; none where days are."""
        return None if self.kind == "days" else Subject(self.user_id, self.entity_type, self.entity_id)

    def covers_line(self, line: bytes, day: date) -> bool:
        """Whether a line that arrived on a day is held."""
        if self.first_day and self.last_day:
            return self.first_day <= day <= self.last_day
        return self.subject is not None and self.subject.is_of_line(line)

    def refusal(self) -> HoldError:
        """Return the error that says so."""
        return HoldError(
            f"legal hold {self.id} forbids it, since {self.held_since:%Y-%m-%d}, by {self.held_by}: "
            f"{self.reason}; nothing more was erased",
            hold=self.id,
            reason=self.reason,
        )


def add_hold(
    connection: Statements,
    held: Subject | tuple[date, date],
    *,
    reason: str,
    by: str,
) -> Hold:
    """Hold a user, an entity, or all events from a first to a last day.

    Waits for the transaction of an erasure that is under way; what that has erased is gone.
    """
    subject = held if isinstance(held, Subject) else Subject()
    first, last = (None, None) if isinstance(held, Subject) else held
    parameters = {
        "kind": held.kind if isinstance(held, Subject) else "days",
        "user_id": subject.user_id,
        "entity_type": subject.entity_type,
        "entity_id": subject.entity_id,
        "first_day": first,
        "last_day": last,
        "reason": reason,
        "held_by": by,
    }
    (hold,) = _holds(connection, "add", parameters)
    return hold


def remove_hold(connection: Statements, hold_id: int, *, reason: str, by: str) -> Hold:
    """End a hold; it stays on record.

    Raises:
        HoldError: There is none of this number that holds.
    """
    removed = _holds(connection, "remove", {"id": hold_id, "reason": reason, "by": by})
    if not removed:
        raise HoldError(f"no legal hold {hold_id} is in force", hold=hold_id)
    return removed[0]


def list_holds(connection: Statements, *, removed: bool = False) -> list[Hold]:
    """Return the holds in force, oldest first; those that were removed too, where asked for."""
    return _holds(connection, "list", {"removed": removed})


@contextlib.contextmanager
def settled(connection: Statements, known: Sequence[Hold]) -> Iterator[None]:
    """Run a transaction during which no hold is added.

    Raises:
        HoldError: The holds in force are not those that were looked at before.
    """
    with connection.transaction():
        connection.execute(_SQL["keep_still"])
        now = list_holds(connection)
        if [hold.id for hold in now] != [hold.id for hold in known]:
            raise HoldError("the legal holds have changed meanwhile: run the erasure again")
        yield


def _holds(connection: Statements, query: str, parameters: Mapping[str, object]) -> list[Hold]:
    with connection.cursor(row_factory=class_row(Hold)) as cursor:
        return cursor.execute(_SQL[query], parameters).fetchall()
