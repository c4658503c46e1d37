"""The usual design: one LPUSH per event, LRANGE and LTRIM of 500, INSERTs of 100 rows into indexed tables.

Measured at its best: rows of one INSERT travel in one statement, and JSON is parsed by msgspec.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import cast

import msgspec
import redis
from psycopg import sql

from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.days import ensure_days
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
KEY = "activity_queue"
READ_EVENTS = 500
INSERT_EVENTS = 100
_PUSH_EVENTS = 10_000


class _Event(msgspec.Struct):
    id: str
    timestamp: str
    source: str
    action: str
    metadata: msgspec.Raw
    entity_type: str | None = None
    entity_id: str | None = None
    user_id: str | None = None
    status: str = "success"


_decoder = msgspec.json.Decoder(_Event)
_INSERT = sql.SQL("insert into activity_logs_listed ({}) values {}")
_ROW = sql.SQL("({})").format(sql.SQL(", ").join([sql.Placeholder()] * len(FIELDS)))


def prepare(connection: Statements, queue: redis.Redis, lines: Sequence[bytes], days: Sequence[date]) -> None:
    """Make the table with its indexes and a partition for each day; push the events."""
    ensure_days(connection, days, hot_since=min(days))
    connection.execute(_SQL["create_table"])
    connection.execute(_SQL["create_partitions"])
    for first in range(0, len(lines), _PUSH_EVENTS):
        queue.lpush(KEY, *lines[first : first + _PUSH_EVENTS])


def drain_list(connection: Statements, queue: redis.Redis) -> int:
    """Move all events from the list into the table; return how many."""
    total = 0
    while lines := cast(list[bytes], queue.lrange(KEY, -READ_EVENTS, -1)):
        queue.ltrim(KEY, 0, -READ_EVENTS - 1)
        events = [_decoder.decode(line) for line in reversed(lines)]
        for first in range(0, len(events), INSERT_EVENTS):
            _insert(connection, events[first : first + INSERT_EVENTS])
        total += len(events)
    return total


def _insert(connection: Statements, events: Sequence[_Event]) -> None:
    rows = sql.SQL(", ").join([_ROW] * len(events))
    values: list[object] = []
    for event in events:
        values += (getattr(event, name) for name in FIELDS[:-1])
        values.append(bytes(event.metadata).decode())
    connection.execute(_INSERT.format(sql.SQL(", ").join(map(sql.Identifier, FIELDS)), rows), values)
