"""Events as one Parquet file that leaves as it is written, for whoever asked for them."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.parquet as pq

from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.activities import Row


def parquet_stream(batches: Iterable[list[Row]]) -> Iterator[bytes]:
    """Yield the bytes of a Parquet file, a row group a batch.

    Args:
        batches: Rows with the nine fields of an event in the order of FIELDS; metadata is JSON text.
    """
    sink = _Sink()
    with pq.ParquetWriter(sink, EVENT_SCHEMA, compression="zstd") as writer:
        for rows in batches:
            writer.write_table(_table(rows))
            yield sink.take()
    yield sink.take()


class _Sink(io.RawIOBase):
    """A file that is read from where it is written."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        part = bytes(data)  # type: ignore[call-overload]
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def take(self) -> bytes:
        taken = b"".join(self._parts)
        self._parts.clear()
        return taken


def _table(rows: list[Row]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else ([] for _ in FIELDS)
    arrays = []
    for name, values in zip(FIELDS, columns, strict=True):
        kind = EVENT_SCHEMA.field(name).type
        if name in {"id", "user_id"}:
            raw = pa.array([None if value is None else value.bytes for value in values], pa.binary(16))
            arrays.append(pa.ExtensionArray.from_storage(kind, raw) if _is_extension(kind) else raw)
        elif _is_extension(kind):
            arrays.append(pa.ExtensionArray.from_storage(kind, pa.array(list(values), kind.storage_type)))
        else:
            arrays.append(pa.array(list(values), kind))
    return pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)


def _is_extension(kind: pa.DataType) -> bool:
    return isinstance(kind, pa.BaseExtensionType)
