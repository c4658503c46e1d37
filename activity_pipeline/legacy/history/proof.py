"""Whether the archive has the events that were made of a table's rows, every field of them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.archive import ArchiveStore, dataset
from activity_pipeline.events.model import FIELDS
from activity_pipeline.legacy.mapping.rows import LANE, ORIGIN, fingerprint

ROWS_AT_ONCE = 20_000


def fingerprint_of(events: pa.Table) -> tuple[int, int]:
    """Return how many events there are and their fingerprint.

    Args:
        events: With the columns of EVENT_SCHEMA.
    """
    found = 0
    for batch in events.select(FIELDS).to_batches(max_chunksize=ROWS_AT_ONCE):
        found += fingerprint(_rows(batch))
    return events.num_rows, found % LANE


def archived_fingerprint(store: ArchiveStore, table: str, day: date) -> tuple[int, int]:
    """Return the same of a day's archived events that name a table as where they are from."""
    rows, found = 0, 0
    origin = f'"{ORIGIN}": {msgspec.json.encode(table).decode()}'
    for batch in dataset(store.url, [day]).to_batches(columns=list(FIELDS), batch_size=ROWS_AT_ONCE):
        texts = batch["metadata"]
        texts = texts.storage if isinstance(texts, pa.ExtensionArray) else texts
        ours = batch.filter(pc.match_substring(texts, origin))
        rows += ours.num_rows
        found += fingerprint(_rows(ours))
    return rows, found % LANE


def _rows(batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
    return list(zip(*(_values(batch[name], name) for name in FIELDS), strict=True))


def _values(column: pa.Array, name: str) -> Iterator[Any]:
    if isinstance(column, pa.ExtensionArray):
        column = column.storage
    if name == "timestamp":
        return iter(pc.cast(column, pa.int64()).to_pylist())
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    values = column.to_pylist()
    if name in {"id", "user_id"}:
        return (None if value is None else UUID(bytes=value) for value in values)
    return iter(values)
