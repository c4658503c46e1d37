"""How rows lie in a file: in which order, in groups of which size, encoded and compressed how.

A file is a sequence of runs, each sorted by itself, so that memory holds two runs and no more. Within
a run every row group covers a small part of what the order begins with, and readers skip the others
by their statistics. Rows come in about the order of time, so runs also cover a part of the day each.

LAYOUT_TABLE
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from activity_pipeline.events.judge import EVENT_SCHEMA

FILE_SCHEMA = EVENT_SCHEMA.append(pa.field("date", pa.date32(), nullable=False))
"""An event and its UTC day: a condition on the day alone skips row groups and files in any reader."""

OPTIONS: dict[str, Any] = {
    "compression": "zstd",
    # Half of a file is ids, whose random bits nothing compresses, and metadata, which repays the effort.
    "compression_level": {name: {"id": 9, "metadata": 7}.get(name, 3) for name in FILE_SCHEMA.names},
    "use_dictionary": ["source", "action", "entity_type", "user_id", "status", "date"],
    "column_encoding": {"timestamp": "DELTA_BINARY_PACKED", "entity_id": "DELTA_BYTE_ARRAY"},
    "write_page_index": True,
}
"""Of pyarrow's ParquetWriter. BYTE_STREAM_SPLIT would spare 1.7 bytes of each id, but DuckDB and Polars
do not read it for UUIDs; Polars reads no DELTA_BYTE_ARRAY for them either."""


@dataclass(frozen=True, slots=True)
class Layout:
    """An order of rows, and the sizes that go with it.

    Attributes:
        order: What rows are sorted by before their timestamp.
        rows_per_group: Rows of a row group.
        rows_per_run: Rows that are sorted together.
    """

    order: tuple[str, ...]
    rows_per_group: int
    rows_per_run: int


DAY = Layout(("source", "action"), rows_per_group=122_880, rows_per_run=4 * 122_880)
"""A day's own file. DuckDB reads a row group per thread, and its own vectors divide this."""

PACK = Layout(("source", "user_id", "action"), rows_per_group=30_720, rows_per_run=40 * 30_720)
"""A file of many days, where one user's events are few among many."""


def arrange(rows: pa.Table, layout: Layout) -> pa.Array:
    """Return the positions of rows in a layout's order: int64, as many as rows."""
    stamps = rows["timestamp"].combine_chunks().cast(pa.int64()).to_numpy()
    # Two stable sorts: the first finds rows nearly sorted, the second is a radix sort where the keys are few.
    order = np.argsort(stamps, kind="stable")
    keys = np.zeros(len(rows), np.int64)
    for name in layout.order:
        ranks, distinct = _ranks(rows[name])
        keys = keys * distinct + ranks
    narrow = np.uint16 if keys.max(initial=0) < 1 << 16 else np.int64
    return pa.array(order[np.argsort(keys[order].astype(narrow), kind="stable")])


def _ranks(column: pa.ChunkedArray) -> tuple[npt.NDArray[np.int64], int]:
    """Return the place of each value among the distinct ones, nulls first, and how many places there are."""
    chunks = [
        chunk.storage if isinstance(chunk.type, pa.BaseExtensionType) else chunk for chunk in column.chunks
    ]
    encoded = pa.chunked_array(chunks).combine_chunks().dictionary_encode()
    places = np.empty(len(encoded.dictionary) + 1, np.int64)
    places[pc.sort_indices(encoded.dictionary).to_numpy()] = np.arange(1, len(places))
    places[-1] = 0  # where the indices of nulls lead
    return places[encoded.indices.fill_null(len(places) - 1).to_numpy()], len(places)
