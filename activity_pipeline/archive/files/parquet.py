"""Events to Parquet and back to a content hash."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import cast

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from activity_pipeline.archive.files.layout import DAY, FILE_SCHEMA, PACK, Layout, arrange
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.events.content import Content
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.events.model import FIELDS

ROWS_PER_READ = 100_000


@dataclass(frozen=True, slots=True)
class ReadBack:
    """What a file holds of a day, read back from it."""

    content: Content
    first_at: datetime
    last_at: datetime


def write_days(
    store: ArchiveStore, batches: Iterable[pa.RecordBatch], paths: dict[date, str]
) -> Iterator[date]:
    """Write a stream of events as one file per day; yield each day as it is done.

    Memory holds two runs (files/layout.py). A day without events gets no file.

    Args:
        store: The archive.
        batches: EVENT_SCHEMA, one day's rows after another's.
        paths: Path of each day's file; the stream holds no other day.
    """
    current: date | None = None
    with contextlib.ExitStack() as stack:
        file: _OpenFile | None = None
        for batch in batches:
            for day, rows in _by_day(batch):
                if day != current or file is None:
                    stack.close()
                    if current is not None:
                        yield current
                    current = day
                    file = stack.enter_context(_open_file(store, paths[day], DAY))
                file.add(rows)
        stack.close()
    if current is not None:
        yield current


def write_file(
    store: ArchiveStore, path: str, batches: Iterable[pa.RecordBatch], *, packed: bool = False
) -> None:
    """Write a stream of events as one file; none where there is no event.

    Args:
        store: The archive.
        path: Relative to the archive's root.
        batches: EVENT_SCHEMA.
        packed: Whether it is a file of many days.
    """
    with contextlib.ExitStack() as stack:
        file: _OpenFile | None = None
        for batch in batches:
            if file is None:
                file = stack.enter_context(_open_file(store, path, PACK if packed else DAY))
            file.add(batch)


@contextlib.contextmanager
def stored_rows(
    store: ArchiveStore,
    paths: Sequence[str],
    connection: duckdb.DuckDBPyConnection,
    where: duckdb.Expression | None = None,
) -> Iterator[Iterator[pa.RecordBatch]]:
    """Stream the rows of files, as they lie in them, as EVENT_SCHEMA; those of a condition alone."""
    store.register(connection)
    with connection.cursor() as cursor:
        cursor.execute("set timezone = 'UTC'")
        cursor.execute("set arrow_lossless_conversion = true")  # uuid and json keep their types
        rows = cursor.read_parquet([store.duckdb_path(path) for path in paths])
        if where is not None:
            rows = rows.filter(where)
        reader = rows.select(", ".join(FIELDS)).to_arrow_reader(ROWS_PER_READ)
        yield (batch.cast(EVENT_SCHEMA) for batch in reader)


class _OpenFile:
    """A file under way: while a row group is encoded, the next one is sorted and the next run gathered."""

    def __init__(
        self,
        writer: pq.ParquetWriter,
        layout: Layout,
        encoding: ThreadPoolExecutor,
        sorting: ThreadPoolExecutor,
    ) -> None:
        self.writer = writer
        self.layout = layout
        self.encoding = encoding
        self.sorting = sorting
        self.gathered: list[pa.RecordBatch] = []
        self.rows = 0
        self.under_way: Future[None] | None = None

    def add(self, rows: pa.RecordBatch) -> None:
        self.gathered.append(rows)
        self.rows += len(rows)
        while self.rows >= self.layout.rows_per_run:
            run = self._take(self.layout.rows_per_run)
            self._wait()
            self.under_way = self.encoding.submit(self._write, run)

    def finish(self) -> None:
        self._wait()
        if self.rows:
            self._write(self._take(self.rows))

    def _take(self, count: int) -> pa.Table:
        gathered = pa.Table.from_batches(self.gathered)
        self.gathered = gathered.slice(count).to_batches()
        self.rows -= count
        return gathered.slice(0, count)

    def _wait(self) -> None:
        if self.under_way:
            self.under_way.result()

    def _write(self, run: pa.Table) -> None:
        order = arrange(run, self.layout)
        run = run.append_column(FILE_SCHEMA.field("date"), pc.cast(run["timestamp"], pa.date32()))
        groups = range(0, len(run), self.layout.rows_per_group)
        taken = self.sorting.map(
            lambda start: run.take(order.slice(start, self.layout.rows_per_group)), groups
        )
        for rows in taken:
            self.writer.write_table(rows, row_group_size=len(rows))


@contextlib.contextmanager
def _open_file(store: ArchiveStore, path: str, layout: Layout) -> Iterator[_OpenFile]:
    with (
        store.writing(path) as stream,
        pq.ParquetWriter(stream, FILE_SCHEMA, **layout.options) as writer,
        ThreadPoolExecutor(1, thread_name_prefix="sort") as sorting,
        ThreadPoolExecutor(1, thread_name_prefix="encode") as encoding,
    ):
        file = _OpenFile(writer, layout, encoding, sorting)
        yield file
        file.finish()


def _by_day(batch: pa.RecordBatch) -> Iterator[tuple[date, pa.RecordBatch]]:
    """Cut a batch where the next row is of another day in UTC."""
    days = pc.cast(batch.column("timestamp"), pa.date32())
    runs = pc.run_end_encode(days)
    start = 0
    for end, day in zip(runs.run_ends.to_pylist(), runs.values.to_pylist(), strict=True):
        yield day, batch.slice(start, end - start)
        start = end


def read_back(
    store: ArchiveStore,
    paths: Sequence[str],
    connection: duckdb.DuckDBPyConnection,
    where: duckdb.Expression | None = None,
) -> dict[str, dict[date, ReadBack]]:
    """Read files whole and hash their rows, those of each day by themselves; those of a condition alone.

    Raises:
        duckdb.Error: A file is missing or is not the Parquet that it should be.
    """
    if not paths:
        return {}
    named = {store.duckdb_path(path): path for path in paths}
    store.register(connection)
    rows = connection.read_parquet(list(named), filename=True)
    if where is not None:
        rows = rows.filter(where)
    query = (Path(__file__).parent / "content.sql").read_text()
    held: dict[str, dict[date, ReadBack]] = {path: {} for path in paths}
    hashed = cast(duckdb.DuckDBPyRelation, rows.query("event_rows", query))  # a query answers something
    for file, day, count, first, second, first_us, last_us in hashed.fetchall():
        content = Content.of(count, first, second)
        held[named[file]][day] = ReadBack(content, _instant(first_us), _instant(last_us))
    return held


def _instant(microseconds: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
