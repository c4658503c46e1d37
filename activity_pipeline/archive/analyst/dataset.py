"""The archive's events as a pyarrow dataset and as a Polars frame, with files out of the manifests.

    dataset("archive")       for pyarrow, pandas, DuckDB, Polars and whatever else takes a dataset
    scan("archive", days)    for Polars, three times as fast as through the dataset

`id` and `user_id` are UUIDs and `metadata` is JSON to pyarrow, pandas and DuckDB. Polars knows no UUIDs: they
are their 16 bytes, `pl.col("user_id") == user.bytes`; its metadata is text. No filter by a UUID can be
written as a pyarrow expression (pyarrow has no such comparison): ask DuckDB or Polars for that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce
from operator import or_
from pathlib import Path

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.fs as pafs

from activity_pipeline.archive.chain.index import newest_entries
from activity_pipeline.archive.chain.manifest import PACKED, DayEntry
from activity_pipeline.archive.files.layout import FILE_SCHEMA
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.events.days import ONE_DAY, ranges

INSTANT = timedelta(microseconds=1)
"""What timestamps are apart, at least."""


@dataclass(frozen=True, slots=True)
class EventFile:
    """A file of events, as the manifests of some days describe it.

    Attributes:
        path: Relative to the archive's root.
        size_bytes: Its size.
        rows: All rows in it.
        asked_rows: Rows of the days that were asked for.
        first_at: No row in it is earlier.
        last_at: No row in it is later.
    """

    path: str
    size_bytes: int
    rows: int
    asked_rows: int
    first_at: datetime
    last_at: datetime


def event_files(entries: Iterable[DayEntry]) -> list[EventFile]:
    """Return the files of days, those of many days once, in order of their paths."""
    found: dict[str, EventFile] = {}
    for entry in entries:
        for file in entry.files:
            first_at, last_at = file.first_at, file.last_at
            if packed := PACKED.fullmatch(file.path):
                # It may hold days that were not asked for.
                first_at = _midnight(date.fromisoformat(packed[1]))
                last_at = _midnight(date.fromisoformat(packed[2]) + ONE_DAY) - INSTANT
            known = found.get(file.path)
            found[file.path] = EventFile(
                path=file.path,
                size_bytes=file.size_bytes,
                rows=file.file_rows or file.row_count,
                asked_rows=file.row_count + (known.asked_rows if known else 0),
                first_at=first_at,
                last_at=last_at,
            )
    return [found[path] for path in sorted(found)]


def dataset(root: str | Path, days: Collection[date] | None = None) -> pads.FileSystemDataset:
    """Return the events of the archive at a folder or URL as a dataset of FILE_SCHEMA.

    A filter by timestamp skips files without opening them: the manifests say what lies in them.

    Args:
        root: The archive.
        days: UTC days; all that are archived where None.

    Raises:
        ManifestError: A manifest cannot be read.
    """
    store = ArchiveStore(str(root))
    files, spans = _asked(store, days)
    file_system = (
        pafs.LocalFileSystem() if store.is_local else pafs.PyFileSystem(pafs.FSSpecHandler(store.fs))
    )
    file_format = pads.ParquetFileFormat()
    fragments = [
        file_format.make_fragment(
            store.full(file.path),
            file_system,
            partition_expression=_within(file.first_at, file.last_at),
        )
        for file in files
    ]
    found = pads.FileSystemDataset(fragments, FILE_SCHEMA, file_format, file_system)
    return found.filter(reduce(or_, (_within(*span) for span in spans))) if spans else found


def scan(root: str | Path, days: Collection[date] | None = None) -> pl.LazyFrame:
    """Return the events of the archive at a folder or URL as a Polars frame, read when it is collected.

    Args:
        root: The archive.
        days: UTC days, whose files alone are opened; all that are archived where None.

    Raises:
        ManifestError: A manifest cannot be read.
    """
    store = ArchiveStore(str(root))
    files, spans = _asked(store, days)
    if not store.is_local or not files:
        frame = pl.scan_pyarrow_dataset(dataset(root, days))
    else:
        frame = pl.scan_parquet(
            [store.full(file.path) for file in files], glob=False, hive_partitioning=False
        )
        if spans:
            at = pl.col("timestamp")
            frame = frame.filter(pl.any_horizontal(at.is_between(*span) for span in spans))
    return frame.with_columns(pl.col("metadata").ext.storage())


def _asked(
    store: ArchiveStore, days: Collection[date] | None
) -> tuple[list[EventFile], Sequence[tuple[datetime, datetime]]]:
    """Return the files of days, and where one holds other days too, the spans that rows must lie in."""
    entries = newest_entries(store, None if days is None else frozenset(days))
    files = event_files(entries.values())
    if all(file.asked_rows == file.rows for file in files):
        return files, ()
    return files, [(_midnight(first), _midnight(last + ONE_DAY) - INSTANT) for first, last in ranges(entries)]


def _within(first: datetime, last: datetime) -> pc.Expression:
    at, kind = pc.field("timestamp"), pa.timestamp("us", tz="UTC")
    return (at >= pa.scalar(first, kind)) & (at <= pa.scalar(last, kind))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
