"""How far each stream is stored."""

from __future__ import annotations

from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.queue.read import EntryId

_SQL = load_queries(__file__)


def read_offsets(connection: Statements) -> dict[int, EntryId]:
    """Return the id of the last stored entry of each shard."""
    return {shard: EntryId(entry) for shard, entry in connection.execute(_SQL["offsets"])}
