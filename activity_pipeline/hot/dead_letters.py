"""Dead letters: looked at, and closed once what they hold is stored after all.

A dead letter's events were received and refused. When they are stored, the ledger moves them from
dead-lettered to inserted or duplicate in the transaction that stores them, so its equations hold at
every instant: what the arrival's day counted is taken back, what became of the events is counted on
their own days.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from psycopg.rows import class_row, dict_row

from activity_pipeline.events.model import DeadLetterReason
from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.connection import BulkConnection, Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.hot.writer import KnownInArchive, sort_in

_SQL = load_queries(__file__)
ALL_BYTES = 2**31 - 1
_PAGE = 500
State = Literal["open", "replayed", "erased"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A row of `activity_dead_letters`; see the comments of its columns.

    Attributes:
        line: As many of its bytes as were asked for.
        size_bytes: How many there are.
    """

    id: int
    received_at: datetime
    shard: int
    entry_id: str
    line_number: int
    producer_id: str
    reason: str
    event_count: int
    state: State
    replayed_at: datetime | None
    size_bytes: int
    line: bytes
    other_fields: bytes | None

    @property
    def is_entry(self) -> bool:
        """Whether it is a queue entry that could not be opened, and not a line of one."""
        return self.line_number < 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """Which dead letters; None takes any.

    Attributes:
        ids: Their numbers.
        reasons: Why they were refused.
        days: First and last UTC day of arrival, both included.
        producer_id: Who sent them; empty for those that did not say.
        state: What became of them.
    """

    ids: Sequence[int] | None = None
    reasons: Sequence[DeadLetterReason] | None = None
    days: tuple[date, date] | None = None
    producer_id: str | None = None
    state: State | None = "open"

    def as_parameters(self) -> dict[str, Any]:
        """Return the parameters of the queries that select."""
        first, last = self.days or (None, None)
        return {
            "ids": None if self.ids is None else list(self.ids),
            "reasons": None if self.reasons is None else [reason.value for reason in self.reasons],
            "first": first,
            "last": last,
            "producer_id": self.producer_id,
            "state": self.state,
        }


def read_dead_letters(
    connection: Statements, selection: Selection, *, limit: int | None = None, line_bytes: int = ALL_BYTES
) -> Iterator[DeadLetter]:
    """Yield dead letters, newest first, streamed.

    Args:
        connection: In a transaction of its own until the last one is taken.
        selection: Which.
        limit: How many at the most.
        line_bytes: How much of each line.
    """
    parameters = {**selection.as_parameters(), "limit": limit, "line_bytes": line_bytes}
    with (
        connection.transaction(),
        connection.cursor("dead_letters", row_factory=class_row(DeadLetter)) as cursor,
    ):
        cursor.itersize = _PAGE
        yield from cursor.execute(_SQL["read"], parameters)


def count_by_reason(connection: Statements, selection: Selection) -> list[dict[str, Any]]:
    """Count dead letters and their events by reason, the most frequent first."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(_SQL["by_reason"], selection.as_parameters()).fetchall()


def unstorable(connection: Statements, texts: Sequence[str | None]) -> set[int]:
    """Return the places of the texts that Postgres cannot keep as jsonb."""
    return {number for (number,) in connection.execute(_SQL["unstorable"], {"texts": list(texts)})}


def claim_open(connection: BulkConnection, ids: Sequence[int]) -> list[DeadLetter]:
    """Lock those that are open until the transaction ends; leaves out what another replay holds."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL["claim"], parameters=(_listed(ids),))
        return [DeadLetter(**row) for row in cursor.fetch_arrow_table().to_pylist()]


def close(
    connection: BulkConnection,
    closed: Sequence[DeadLetter],
    batch: Batch | None,
    refused_again: Mapping[int, str],
    known_in_archive: KnownInArchive,
) -> Stored:
    """Store what claimed dead letters hold and close them, in one transaction, and commit it.

    Args:
        connection: The one that claimed them.
        closed: Those whose events are in `batch`.
        batch: Its receipts say by how much each producer's figures change.
        refused_again: The present reason of claimed ones that stay open, by number.
        known_in_archive: As for the drain.
    """
    stored = Stored()
    with connection.cursor() as cursor:
        if closed:
            back: Counter[date] = Counter()
            for letter in closed:
                back[letter.received_at.date()] += letter.event_count
            days = [{"day": day.isoformat(), "events": events} for day, events in back.items()]
            cursor.execute(_SQL["take_back"], parameters=(json.dumps(days),))
            cursor.execute(_SQL["close"], parameters=(_listed(letter.id for letter in closed),))
        if batch is not None:
            stored = sort_in(cursor, batch, known_in_archive)
        if refused_again:
            again = [{"id": number, "reason": reason} for number, reason in refused_again.items()]
            cursor.execute(_SQL["refuse_again"], parameters=(json.dumps(again),))
    connection.commit()
    return stored


def _listed(ids: Iterable[int]) -> str:
    return ",".join(map(str, ids))
