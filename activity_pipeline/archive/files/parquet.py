"""Events to Parquet and back to a content hash."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.events.content import Content
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.events.model import FIELDS

ROWS_PER_GROUP = 122_880
"""DuckDB scans a row group per thread, and its own vectors divide this."""


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a file holds of a day, read back from it."""

    content: Content
    first_at: datetime
    last_at: datetime


def write_days(
    store: ArchiveStore, batches: Iterable[pa.RecordBatch], paths: dict[date, str]
) -> Iterator[date]:
    """Write a stream of events, ordered by timestamp, as one file per day; yield each day as it is done.

    Memory holds one row group. A day without events gets no file.

    Args:
        store: The archive.
        batches: EVENT_SCHEMA.
        paths: Path of each day's file; the stream holds no other day.
    """
    current: date | None = None
    with contextlib.ExitStack() as stack:
        writer: _DayWriter | None = None
        for batch in batches:
            for day, rows in _by_day(batch):
                if day != current or writer is None:
                    stack.close()
                    if current is not None:
                        yield current
                    current = day
                    writer = stack.enter_context(_open_day(store, paths[day]))
                writer.add(rows)
        stack.close()
    if current is not None:
        yield current


def write_file(store: ArchiveStore, path: str, batches: Iterable[pa.RecordBatch]) -> None:
    """Write a stream of events, ordered by timestamp, as one file; none where there is no event.

    Args:
        store: The archive.
        path: Relative to the archive's root.
        batches: EVENT_SCHEMA.
    """
    with contextlib.ExitStack() as stack:
        writer: _DayWriter | None = None
        for batch in batches:
            if writer is None:
                writer = stack.enter_context(_open_day(store, path))
            writer.add(batch)


@contextlib.contextmanager
def stored_rows(
    store: ArchiveStore,
    paths: Sequence[str],
    connection: duckdb.DuckDBPyConnection,
    where: duckdb.Expression | None = None,
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Stream the rows of files, ordered by timestamp and id, as EVENT_SCHEMA; those of a condition alone."""
    store.register(connection)
    with connection.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'")
        cursor.execute("set arrow_lossless_conversion = true")  # uuid and json keep their types
        rows = cursor.read_parquet([store.duckdb_path(path) for path in paths])
        if where is not None:
            rows = rows.filter(where)
        ordered = rows.select(", ".join(FIELDS)).order("timestamp, id")
        yield (batch.cast(EVENT_SCHEMA) for batch in ordered.to_arrow_reader(ROWS_PER_GROUP))


class _DayWriter:
    """Gathers rows into row groups of one size."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self.writer = writer
        self.pending: list[pa.RecordBatch] = []
        self.rows = 0

    def add(self, rows: pa.RecordBatch) -> None:
        self.pending.append(rows)
        self.rows += len(rows)
        while self.rows >= ROWS_PER_GROUP:
            self._write(ROWS_PER_GROUP)

    def flush(self) -> None:
        if self.rows:
            self._write(self.rows)

    def _write(self, count: int) -> None:
        pending = pa.Table.from_batches(self.pending)
        self.writer.write_table(pending.slice(0, count), row_group_size=count)
        self.pending = pending.slice(count).to_batches()
        self.rows -= count


@contextlib.contextmanager
def _open_day(store: ArchiveStore, path: str) -> Iterator[_DayWriter]:
    with (
        store.writing(path) as stream,
        pq.ParquetWriter(stream, EVENT_SCHEMA, compression="zstd", compression_level=3) as writer,
    ):
        day = _DayWriter(writer)
        yield day
        day.flush()


def _by_day(batch: pa.RecordBatch) -> Iterator[tuple[date, pa.RecordBatch]]:
    """Cut a batch, ordered by timestamp, at midnight UTC."""
    days = pc.cast(batch.column("timestamp"), pa.date32())
    runs = pc.run_end_encode(days)
    start = 0
    for end, day in zip(runs.run_ends.to_pylist(), runs.values.to_pylist(), strict=True):
        yield day, batch.slice(start, end - start)
        start = end


def read_back(
    store: ArchiveStore, paths: Sequence[str], connection: duckdb.DuckDBPyConnection
) -> dict[str, dict[date, ReadBack]]:
    """Read files whole and hash their rows, those of each day by themselves.

    Raises:
        duckdb.Error: A file is missing or is not the Parquet that it should be.
    """
    if not paths:
        return {}
    named = {store.duckdb_path(path): path for path in paths}
    store.register(connection)
    rows = connection.execute(
        (Path(__file__).parent / "content.sql").read_text(), {"files": list(named)}
    ).fetchall()
    held: dict[str, dict[date, ReadBack]] = {path: {} for path in paths}
    for file, day, count, first, second, first_us, last_us in rows:
        content = Content.of(count, first, second)
        held[named[file]][day] = ReadBack(content, _instant(first_us), _instant(last_us))
    return held


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
