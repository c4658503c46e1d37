"""How far each stream is stored."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.queue.read import EntryId

_SQL = load_queries(__file__)


@dataclass(frozen=True, slots=True)
class Progress:
    """What was drained lately.

    Attributes:
        last_drained_at: When a batch was last stored; none where nothing ever was.
        arrived_today: Events that arrived on the day.
    """

    last_drained_at: datetime | None
    arrived_today: int


def read_offsets(connection: Statements) -> dict[int, EntryId]:
    """Return the id of the last stored entry of each shard."""
    return {shard: EntryId(entry) for shard, entry in connection.execute(_SQL["offsets"])}


def read_progress(connection: Statements, today: date) -> Progress:
    """Return what was drained lately, and on a day."""
    with connection.cursor(row_factory=class_row(Progress)) as cursor:
        (progress,) = cursor.execute(_SQL["progress"], {"today": today}).fetchall()
    return progress
