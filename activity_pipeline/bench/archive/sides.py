"""One side of an export, in a process of its own: `python -m …sides SIDE DSN DAY` prints what it took.

side              what it does with the same day's rows and columns
copy              binary COPY to this process, which drops what comes
archive           `archive_days` as shipped, to a local folder: frozen, written, read back, hashed here and
                  in Postgres, published, through the gate, dropped
dlt, connectorx   a dlt pipeline from its sql_table source to its filesystem destination, Parquet with zstd;
                  connectorx is the quickest backend that it ships
dlt, pyarrow      the same by its backend that needs no other package
polars, adbc      `read_database_uri` by its quickest engine, then `write_parquet` with zstd

Everything is imported, and the day read once, before the clock starts. The files of the others are in no
order, nobody reads them back, and the day stays in Postgres.
"""

from __future__ import annotations

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
from activity_pipeline.bench.archive.day import copy_out
from activity_pipeline.events.model import FIELDS
from activity_pipeline.hot.connection import connect, open_hot
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)
TABLE = "activity_logs_current"


@dataclass(frozen=True, slots=True)
class Taken:
    """What a side took.

    Attributes:
        rows: Rows that it has moved.
        size_bytes: Size of what came out.
        seconds: From its first statement to its end.
        written_s: From its first statement to the last byte of its Parquet.
    """

    rows: int
    size_bytes: int
    seconds: float
    written_s: float


def copy(dsn: str, day: date) -> Taken:
    """Drop what COPY sends."""
    with connect(dsn) as connection:
        started = time.perf_counter()
        rows, size_bytes = copy_out(connection, day)
        seconds = time.perf_counter() - started
    return Taken(rows, size_bytes, seconds, seconds)


def archive(dsn: str, day: date) -> Taken:
    """Archive the day."""
    store = ArchiveStore(str(Path("archive").resolve()))
    with open_hot(dsn) as (statements, bulk):
        began_s, started = time.time(), time.perf_counter()
        (archived,) = archive_days(statements, bulk, store, [day])
        seconds = time.perf_counter() - started
    entry = archived.entry
    written_s = max(Path(store.full(file.path)).stat().st_mtime for file in entry.files) - began_s
    return Taken(entry.row_count, entry.size_bytes, seconds, written_s)


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


def _written(paths: list[Path], seconds: float) -> Taken:
    files = [pq.ParquetFile(path).metadata for path in paths]
    columns = {file.row_group(0).column(0).compression for file in files}
    if columns != {"ZSTD"} or any(file.num_columns != len(FIELDS) for file in files):
        raise SystemExit(f"the files are not of {len(FIELDS)} columns with zstd: {paths}")
    size_bytes = sum(path.stat().st_size for path in paths)
    return Taken(sum(file.num_rows for file in files), size_bytes, seconds, seconds)


SIDES: dict[str, Callable[[str, date], Taken]] = {
    "copy": copy,
    "archive": archive,
    "dlt, connectorx": dlt_connectorx,
    "dlt, pyarrow": dlt_pyarrow,
    "polars, adbc": polars_adbc,
}


def main(side: str, dsn: str, day: str) -> None:
    """Measure one side and print it as JSON."""
    with connect(dsn) as connection:
        copy_out(connection, date.fromisoformat(day))
    sys.stdout.write(json.dumps(asdict(SIDES[side](dsn, date.fromisoformat(day)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
