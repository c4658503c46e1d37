"""One side of an export, in a process of its own: `python -m …sides SIDE DSN DAY` prints what it took.

side              what it does with the same day's rows and columns
copy              binary COPY to this process, which drops what comes
export            frozen, streamed, sorted, written to a local folder and fsynced, as `archive_days` does it
                  but without the Postgres hash that it takes meanwhile
archive           `archive_days` as shipped: exported, read back, hashed here and in Postgres, published,
                  through the gate, dropped
dlt, connectorx   a dlt pipeline from its sql_table source to its filesystem destination, Parquet with zstd;
                  connectorx is the quickest backend that it ships
dlt, pyarrow      the same by its backend that needs no other package
polars, adbc      `read_database_uri` by its quickest engine, then `write_parquet` with zstd
polars, psycopg   `read_database` over a connection as applications have it, then the same

Before the clock starts everything is imported, the day has been read once, and each side but dlt's has run
once, `archive` as far as the export: a process that archives many days is warm. The files of the others
are in no order, nobody reads them back, and the day stays in Postgres.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import psycopg
import pyarrow.parquet as pq

from activity_pipeline.archive import ArchiveStore, archive_days
from activity_pipeline.archive.chain.manifest import file_path
from activity_pipeline.archive.files.layout import FILE_SCHEMA
from activity_pipeline.archive.files.parquet import write_days
from activity_pipeline.bench.archive.day import copy_out
from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.connection import connect, open_hot
from activity_pipeline.hot.days import freeze
from activity_pipeline.hot.queries import load_queries
from activity_pipeline.hot.reader import frozen_rows

_SQL = load_queries(__file__)
TABLE = "activity_logs_current"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a side took.

    Attributes:
        rows: Rows that it has moved.
        size_bytes: Size of what came out.
        seconds: From its first statement to its end.
    """

    rows: int
    size_bytes: int
    seconds: float


def copy(dsn: str, day: date) -> Taken:
    """Drop what COPY sends."""
    with connect(dsn) as connection:
        started = time.perf_counter()
        rows, size_bytes = copy_out(connection, day)
        seconds = time.perf_counter() - started
    return Taken(rows, size_bytes, seconds)


def export(dsn: str, day: date) -> Taken:
    """Write the day, and nothing more."""
    store, path = _store(), file_path(day, 1)
    with open_hot(dsn) as (statements, bulk):
        started = time.perf_counter()
        frozen = freeze(statements, [day])
        with contextlib.closing(frozen_rows(bulk, frozen)) as rows:
            list(write_days(store, rows, {day: path}))
        store.sync([path])
        seconds = time.perf_counter() - started
    return _written([Path(store.full(path))], seconds, columns=len(FILE_SCHEMA))


def archive(dsn: str, day: date) -> Taken:
    """Archive the day."""
    with open_hot(dsn) as (statements, bulk):
        started = time.perf_counter()
        (archived,) = archive_days(statements, bulk, _store(), [day])
        seconds = time.perf_counter() - started
    return Taken(archived.entry.row_count, archived.entry.size_bytes, seconds)


def _store() -> ArchiveStore:
    return ArchiveStore(str(Path("archive").resolve()))


def dlt_connectorx(dsn: str, day: date) -> Taken:
    """Run dlt's quickest backend."""
    where = psycopg.conninfo.conninfo_to_dict(dsn)
    # Its parser wants a host before the path, and takes a socket's folder there.
    url = f"postgresql://{where['user']}@{quote(str(where['host']), safe='')}/{where['dbname']}"
    return _dlt(dsn, day, backend="connectorx", backend_kwargs={"conn": url, "return_type": "arrow_stream"})


def dlt_pyarrow(dsn: str, day: date) -> Taken:
    """Run dlt's backend over SQLAlchemy."""
    return _dlt(dsn, day, backend="pyarrow", backend_kwargs={})


def _dlt(
    dsn: str, _: date, *, backend: Literal["pyarrow", "connectorx"], backend_kwargs: dict[str, str]
) -> Taken:
    folder = Path.cwd()
    os.environ |= {
        "DATA_WRITER__COMPRESSION": "zstd",
        "DLT_DATA_DIR": str(folder / "dlt"),
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "RUNTIME__LOG_LEVEL": "ERROR",
    }
    import dlt  # noqa: PLC0415
    from dlt.sources.sql_database import sql_table  # noqa: PLC0415

    started = time.perf_counter()
    rows = sql_table(
        credentials=dsn.replace("postgresql://", "postgresql+psycopg2://", 1),
        table=TABLE,
        chunk_size=100_000,
        backend=backend,
        backend_kwargs=backend_kwargs,
    )
    out = folder / "out"
    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.filesystem(bucket_url=out.as_uri()), dataset_name="bench"
    )
    pipeline.run(rows, loader_file_format="parquet")
    return _written(list((out / "bench" / TABLE).glob("*.parquet")), time.perf_counter() - started)


def polars_adbc(dsn: str, _: date) -> Taken:
    """Read all, then write all."""
    import adbc_driver_postgresql.dbapi  # noqa: F401, PLC0415
    import polars as pl  # noqa: PLC0415

    path = Path("polars.parquet")
    started = time.perf_counter()
    pl.read_database_uri(_SQL["select"], dsn, engine="adbc").write_parquet(path, compression="zstd")
    return _written([path], time.perf_counter() - started)


def _written(paths: list[Path], seconds: float, *, columns: int = len(FIELDS)) -> Taken:
    files = [pq.ParquetFile(path).metadata for path in paths]
    codecs = {file.row_group(0).column(0).compression for file in files}
    if codecs != {"ZSTD"} or any(file.num_columns != columns for file in files):
        raise SystemExit(f"not {columns} columns with zstd: {[file.schema for file in files]}")
    size_bytes = sum(path.stat().st_size for path in paths)
    return Taken(sum(file.num_rows for file in files), size_bytes, seconds)


def polars_psycopg(dsn: str, _: date) -> Taken:
    """Read all row by row, then write all."""
    import polars as pl  # noqa: PLC0415

    path = Path("polars.parquet")
    with psycopg.connect(dsn) as connection:
        started = time.perf_counter()
        pl.read_database(_SQL["select_texts"], connection).write_parquet(path, compression="zstd")
        return _written([path], time.perf_counter() - started)


SIDES: dict[str, Callable[[str, date], Taken]] = {
    "copy": copy,
    "export": export,
    "archive": archive,
    "dlt, connectorx": dlt_connectorx,
    "dlt, pyarrow": dlt_pyarrow,
    "polars, adbc": polars_adbc,
    "polars, psycopg": polars_psycopg,
}


def main(side: str, dsn: str, day: str) -> None:
    """Measure one side and print it as JSON."""
    measured, at = SIDES[side], date.fromisoformat(day)
    with connect(dsn) as connection:
        copy_out(connection, at)
    if not side.startswith("dlt"):
        (export if measured is archive else measured)(dsn, at)
    sys.stdout.write(json.dumps(asdict(measured(dsn, at))))


if __name__ == "__main__":
    main(*sys.argv[1:])
