"""The same Parquet files as an Apache Iceberg table, for engines that speak Iceberg; nothing is copied.

    iceberg/activity_logs/metadata/v3.metadata.json      schema, and the one snapshot: the files of today
    iceberg/activity_logs/metadata/v3-files.avro, v3-list.avro
    iceberg/activity_logs/metadata/version-hint.text     3; written last, it makes the version the table

Why Iceberg and not DuckLake: Spark, Trino, Flink, Snowflake, BigQuery and DuckDB read it, DuckLake is
DuckDB's alone and needs a database for its catalogue. Why no catalogue server: this layout is a table by
its folder's path, on a disk or an object store, and any catalogue takes it in by `register_table`.

The manifests say all that Iceberg wants to know of a file, so no file is opened. pyiceberg's own
`add_files` would open each one, and refuses columns of JSON. Files have no field ids, therefore the
table carries a mapping by name. Days are no partitions, because thin days share files: engines skip files
by the bounds of `timestamp`.

Each registration writes the table anew, with one snapshot and no history: after an erasure nothing may
point to files that are gone. Iceberg names files by absolute URLs: register a copy where it lies.

crash after          what it leaves                    what the next registration does
files, list, schema  documents that nothing names      writes them anew
version-hint         documents of the version before   removes them
"""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from activity_pipeline.archive.analyst.comments import table_comments
from activity_pipeline.archive.analyst.dataset import EventFile, event_files
from activity_pipeline.archive.analyst.views import EVENTS, EVENTS_IN_POSTGRES
from activity_pipeline.archive.chain.index import newest_entries
from activity_pipeline.archive.files.layout import FILE_SCHEMA
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError

try:
    import pyarrow as pa
    from pyiceberg import types as iceberg
    from pyiceberg.conversions import to_bytes
    from pyiceberg.io import InputFile, OutputFile, OutputStream
    from pyiceberg.io.pyarrow import PyArrowSchemaVisitor, visit_pyarrow
    from pyiceberg.manifest import (
        DataFile,
        DataFileContent,
        FileFormat,
        ManifestEntry,
        ManifestEntryStatus,
        write_manifest,
        write_manifest_list,
    )
    from pyiceberg.partitioning import UNPARTITIONED_PARTITION_SPEC
    from pyiceberg.schema import Schema
    from pyiceberg.table import StaticTable
    from pyiceberg.table.metadata import TableMetadata, TableMetadataUtil, new_table_metadata
    from pyiceberg.table.name_mapping import create_mapping_from_schema
    from pyiceberg.table.refs import MAIN_BRANCH, SnapshotRef
    from pyiceberg.table.snapshots import Operation, Snapshot
    from pyiceberg.table.sorting import UNSORTED_SORT_ORDER
    from pyiceberg.typedef import Record
except ImportError as error:
    raise ArchiveError("this needs Iceberg: pip install 'activity-pipeline[iceberg]'") from error

TABLE = f"iceberg/{EVENTS}"
FOLDER = f"{TABLE}/metadata"
HINT = f"{FOLDER}/version-hint.text"
FORMAT_VERSION: Literal[2] = 2
AS_OF = "activity.files-sha256"
"""Property of the table: a hash of the list of files that it was made of."""


@dataclass(frozen=True, slots=True)
class Registration:
    """The table after a registration.

    Attributes:
        table: URL of the table.
        metadata: URL of its description, for a catalogue's `register_table`.
        version: Its number.
        files: Event files in it.
        rows: Events in it.
        size_bytes: Size of the files.
        is_new: Whether this registration wrote it; the one before may have found the same files.
    """

    table: str
    metadata: str
    version: int
    files: int
    rows: int
    size_bytes: int
    is_new: bool


def register(root: str | Path) -> Registration:
    """Make the Iceberg table that of the files that the manifests list right now; one at a time.

    Raises:
        ManifestError: A manifest cannot be read.
        ArchiveError: The archive cannot be written, or its place cannot be written as a URL.
    """
    store = ArchiveStore(str(root))
    files = event_files(newest_entries(store).values())
    base = _url(store, "")
    listed = "\n".join([base, *(f"{file.path} {file.size_bytes} {file.rows}" for file in files)])
    as_of = hashlib.sha256(listed.encode()).hexdigest()
    version, before = _current(store)
    is_new = before is None or before.properties.get(AS_OF) != as_of
    if is_new:
        version += 1
        _publish(store, _describe(store, files, version, before, as_of), version)
    return Registration(
        table=_url(store, TABLE),
        metadata=_url(store, f"{FOLDER}/v{version}.metadata.json"),
        version=version,
        files=len(files),
        rows=sum(file.rows for file in files),
        size_bytes=sum(file.size_bytes for file in files),
        is_new=is_new,
    )


def open_table(root: str | Path) -> StaticTable:
    """Return the registered table for pyiceberg, which by itself refuses to read columns of JSON."""
    # As Iceberg has no JSON, it is text, in this process from now on.
    visit_pyarrow.register(pa.JsonType, _visit_json)
    return StaticTable.from_metadata(_url(ArchiveStore(str(root)), TABLE))


def _visit_json(
    column: pa.JsonType, visitor: PyArrowSchemaVisitor[iceberg.IcebergType]
) -> iceberg.IcebergType:
    return visitor.primitive(column.storage_type)


def _schema() -> Schema:
    types: dict[object, iceberg.PrimitiveType] = {
        pa.uuid(): iceberg.UUIDType(),
        pa.timestamp("us", tz="UTC"): iceberg.TimestamptzType(),
        pa.date32(): iceberg.DateType(),
    }
    said = {**table_comments()[EVENTS_IN_POSTGRES], "date": "The UTC day of timestamp"}
    return Schema(
        *(
            iceberg.NestedField(
                field_id=number,
                name=field.name,
                field_type=types.get(field.type, iceberg.StringType()),
                required=not field.nullable,
                doc=said[field.name],
            )
            for number, field in enumerate(FILE_SCHEMA, 1)
        )
    )


def _current(store: ArchiveStore) -> tuple[int, TableMetadata | None]:
    if not store.exists(HINT):
        return 0, None
    version = int(store.read(HINT))
    return version, TableMetadataUtil.parse_raw(store.read(f"{FOLDER}/v{version}.metadata.json").decode())


def _describe(
    store: ArchiveStore, files: Sequence[EventFile], version: int, before: TableMetadata | None, as_of: str
) -> TableMetadata:
    """Write the list of files, and return what the table's description says."""
    schema = _schema()
    described = new_table_metadata(
        schema,
        UNPARTITIONED_PARTITION_SPEC,
        UNSORTED_SORT_ORDER,
        _url(store, TABLE),
        {
            "format-version": str(FORMAT_VERSION),
            "schema.name-mapping.default": create_mapping_from_schema(schema).model_dump_json(),
            AS_OF: as_of,
        },
        before.table_uuid if before else None,
    )
    now_ms = time.time_ns() // 1_000_000
    changes: dict[str, object] = {"last_sequence_number": version, "last_updated_ms": now_ms}
    if files:
        changes |= {
            "snapshots": [_snapshot(store, files, schema, version, now_ms)],
            "current_snapshot_id": version,
            "refs": {MAIN_BRANCH: SnapshotRef.model_validate({"snapshot-id": version, "type": "branch"})},
        }
    return described.model_copy(update=changes)


def _snapshot(
    store: ArchiveStore, files: Sequence[EventFile], schema: Schema, version: int, now_ms: int
) -> Snapshot:
    listed = _Document(store, f"{FOLDER}/v{version}-files.avro")
    at = schema.find_field("timestamp")
    with write_manifest(
        FORMAT_VERSION, UNPARTITIONED_PARTITION_SPEC, schema, listed, version, "deflate"
    ) as manifest:
        for file in files:
            manifest.add(
                ManifestEntry.from_args(
                    status=ManifestEntryStatus.ADDED,
                    snapshot_id=version,
                    data_file=DataFile.from_args(
                        content=DataFileContent.DATA,
                        file_path=_url(store, file.path),
                        file_format=FileFormat.PARQUET,
                        partition=Record(),
                        record_count=file.rows,
                        file_size_in_bytes=file.size_bytes,
                        lower_bounds={at.field_id: to_bytes(iceberg.TimestamptzType(), file.first_at)},
                        upper_bounds={at.field_id: to_bytes(iceberg.TimestamptzType(), file.last_at)},
                    ),
                )
            )
    listed.save()
    manifests = _Document(store, f"{FOLDER}/v{version}-list.avro")
    with write_manifest_list(FORMAT_VERSION, manifests, version, None, version, "deflate") as writer:
        writer.add_manifests([manifest.to_manifest_file()])
    manifests.save()
    totals = {
        "total-data-files": len(files),
        "total-records": sum(file.rows for file in files),
        "total-files-size": sum(file.size_bytes for file in files),
    }
    return Snapshot.model_validate(
        {
            "snapshot-id": version,
            "sequence-number": version,
            "timestamp-ms": now_ms,
            "manifest-list": manifests.location,
            "summary": {
                "operation": Operation.APPEND,
                **{name: str(total) for name, total in totals.items()},
            },
            "schema-id": schema.schema_id,
        }
    )


def _publish(store: ArchiveStore, described: TableMetadata, version: int) -> None:
    document = f"{FOLDER}/v{version}.metadata.json"
    with store.writing(document) as stream:
        stream.write(described.model_dump_json(exclude_none=True, indent=1).encode())
    store.sync([path for path in store.list(FOLDER) if path != HINT])
    with store.writing(HINT) as stream:
        stream.write(str(version).encode())
    store.sync([HINT])
    kept = (HINT, document, f"{FOLDER}/v{version}-files.avro", f"{FOLDER}/v{version}-list.avro")
    for path in store.list(FOLDER):
        if path not in kept:
            store.remove(path)


def _url(store: ArchiveStore, path: str) -> str:
    full = store.duckdb_path(path)
    if "#" in full or "?" in full:
        raise ArchiveError(f"Iceberg cannot name files below {store.url}: its path has a # or a ?")
    return f"file://{full}" if store.is_local else full


class _Document(OutputFile):
    """A document that pyiceberg writes, gathered in memory and then written as the archive writes files."""

    def __init__(self, store: ArchiveStore, path: str) -> None:
        super().__init__(_url(store, path))
        self.store = store
        self.path = path
        self.stream = _Kept()

    def __len__(self) -> int:
        return len(self.stream.getvalue())

    def exists(self) -> bool:
        return False

    def to_input_file(self) -> InputFile:
        raise NotImplementedError

    def create(self, overwrite: bool = False) -> OutputStream:
        return self.stream

    def save(self) -> None:
        with self.store.writing(self.path) as stream:
            stream.write(self.stream.getvalue())


class _Kept(io.BytesIO):
    """Bytes that outlive the writer's close()."""

    def close(self) -> None:
        """Keep them."""
