"""How rows lie in a file: in which order, in groups of which size, encoded and compressed how.

A file is a sequence of runs, each sorted by itself, so that memory holds two runs and no more. Within
a run every row group covers a small part of what the order begins with, and readers skip the others
by their statistics. Rows come in about the order of time, so runs also cover a part of the day each.

Bytes a row, by what a run is sorted by before the timestamp: a generated day of 1 M events in one file,
and two logs of real events (262,200 of a loan process, 157,683 of a repository in 12 years); zstd 3, and
for the generated ones BYTE_STREAM_SPLIT, which takes 1.7 off each:

                           generated   loans   commits
    as it came                          31.4      33.6
    timestamp alone            35.3     28.3      31.1
    source, action             31.7     30.3      32.6
    source, action, user       32.5
    source, user, action       33.1     29.2      32.2
    user                       35.5     26.8      31.4

With zstd 9 for ids a day by source and action is 32.5, and with zstd 1, 5 or 7 for metadata 32.1, 31.1 or
30.0, at 0.65, 1.2 or 1.4 seconds of CPU for the million. A page index adds 0.01; a Bloom filter on
entity_id and user_id 0.5, for a look-up of an entity that takes 0.07 s instead of 0.11.

Seconds of CPU in DuckDB over a year of 10 M events, 365 files of a day or two dozen of many days:

                           days,      days,      packs,     packs,     packs,    packs,
                           unsorted   src, act   src, act   src, user  user      user, src, act
    one user                1.6        0.69       0.61       0.15       0.06      0.05
    one entity              0.59       0.36       0.09       0.11       0.65      0.55
    an action in a month    0.33       0.16       0.03       0.11       0.38      0.21
    bytes a row            46.0       33.8       32.3       35.6                 34.1

Days are by source and action: smallest, and read whole most of the time. Packs, in which the cold years
end up, are by source and user: the one order under which none of the three is slow.
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
    "use_dictionary": ["source", "action", "entity_type", "user_id", "status", "date"],
    "column_encoding": {"timestamp": "DELTA_BINARY_PACKED", "entity_id": "DELTA_BYTE_ARRAY"},
    "write_statistics": [name for name in FILE_SCHEMA.names if name != "metadata"],
    "write_page_index": True,
}
"""Of any layout. BYTE_STREAM_SPLIT would spare 1.7 bytes of each id, but DuckDB and Polars
do not read it for UUIDs; Polars reads no DELTA_BYTE_ARRAY for them either."""


@dataclass(frozen=True, slots=True)
class Layout:
    """An order of rows, and the sizes that go with it.

    Attributes:
        order: What rows are sorted by before their timestamp.
        rows_per_group: Rows of a row group.
        rows_per_run: Rows that are sorted together.
        metadata_level: Level of zstd for the metadata.
    """

    order: tuple[str, ...]
    rows_per_group: int
    rows_per_run: int
    metadata_level: int

    @property
    def options(self) -> dict[str, Any]:
        """Return the options of pyarrow's ParquetWriter."""
        # The first bits of ids are a clock's, and the rest random: they repay the effort, at little cost.
        levels = {"id": 9, "metadata": self.metadata_level}
        return {**OPTIONS, "compression_level": {name: levels.get(name, 3) for name in FILE_SCHEMA.names}}


DAY = Layout(("source", "action"), rows_per_group=122_880, rows_per_run=2 * 122_880, metadata_level=5)
"""A day's own file. DuckDB reads a row group per thread, and its own vectors divide this."""

PACK = Layout(
    ("source", "user_id", "action"), rows_per_group=30_720, rows_per_run=40 * 30_720, metadata_level=7
)
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
