"""A day that is ready for the archive, in a database that is copied for each turn."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq

from activity_pipeline.bench.load import load_events
from activity_pipeline.bench.servers import Servers
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.connection import BulkConnection, Statements, connect
from activity_pipeline.hot.days import seal
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.hot.sizes import stored_bytes
from activity_pipeline.local.shop import simulate

SQL = load_queries(__file__)
SIMULATED_ROWS = 1_000_000
"""A larger day is this one several times."""


@dataclass(frozen=True, slots=True)
class StoredDay:
    """A day in a database with nothing else in it.

    Attributes:
        servers: Where.
        dsn: The database.
        day: Yesterday.
        rows: Its events.
        hot_bytes: Its size with its indexes.
    """

    servers: Servers
    dsn: str
    day: date
    rows: int
    hot_bytes: int

    def copy(self) -> contextlib.AbstractContextManager[str]:
        """Yield the DSN of a copy, page by page, in which the day can be archived."""
        return self.servers.fresh_database(
            template=str(psycopg.conninfo.conninfo_to_dict(self.dsn)["dbname"])
        )


@contextlib.contextmanager
def stored_day(servers: Servers, rows: int, *, sealed: bool) -> Iterator[StoredDay]:
    """Store the simulated shop's events of yesterday.

    Args:
        servers: Where.
        rows: How many; beyond SIMULATED_ROWS a multiple of it.
        sealed: Whether the day gets all its indexes.
    """
    day = today() - ONE_DAY
    simulated = min(rows, SIMULATED_ROWS)
    copies = rows // simulated - 1
    with servers.fresh_database() as dsn:
        lines = simulate(days=1, events=simulated, seed=1, until=end_of(day))
        stored = load_events(servers, dsn, lines)
        with connect(dsn) as connection:
            if copies:
                stored += connection.execute(SQL["multiply"], {"day": day, "copies": copies}).rowcount
            settle(connection, [day] if sealed else [])
            hot_bytes = stored_bytes(connection)
        yield StoredDay(servers, dsn, day, stored, hot_bytes)


def settle(connection: Statements, days: list[date]) -> None:
    """Seal days, and leave the tables as autovacuum would."""
    seal(connection, days)
    connection.execute(SQL["vacuum"])


def end_of(day: date) -> datetime:
    """Return a day's last instant."""
    return datetime.combine(day + ONE_DAY, datetime.min.time(), UTC) - timedelta(microseconds=1)


def copy_out(connection: Statements, day: date) -> tuple[int, int]:
    """Read a day by binary COPY and drop what comes; return its rows and bytes."""
    size_bytes = 0
    with connection.cursor() as cursor:
        with cursor.copy(SQL["copy_out"], {"day": day}) as copy:
            for block in copy:
                size_bytes += len(block)
        return cursor.rowcount, size_bytes


def read_arrived(bulk: BulkConnection, day: date | None = None) -> pa.Table:
    """Return rows in the order in which they arrived: EVENT_SCHEMA.

    Args:
        bulk: The database.
        day: A hot day; without one, the late events.
    """
    try:
        with bulk.cursor() as cursor:
            if day is None:
                cursor.execute(SQL["arrived_late"])
            else:
                cursor.execute(SQL["arrived"], parameters=(day.isoformat(),))
            arrived = cursor.fetch_arrow_table()
    finally:
        bulk.rollback()
    columns = [arrived[name].cast(EVENT_SCHEMA.field(name).type) for name in FIELDS]
    return pa.Table.from_arrays(columns, schema=EVENT_SCHEMA)


def write_plain(rows: pa.Table, path: Path) -> int:
    """Write rows as pyarrow does it, with zstd 3; return the file's size in bytes."""
    pq.write_table(rows, path, compression="zstd", compression_level=3)
    return path.stat().st_size
