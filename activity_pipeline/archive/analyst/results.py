"""Result tables beside the events: `results/<table>/<YYYY-MM>.parquet`, a month a file, replaced whole."""

from __future__ import annotations

from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from activity_pipeline.archive.store import ArchiveStore


def write_month(store: ArchiveStore, table: str, month: date, rows: pa.Table) -> None:
    """Replace a month of a result table; `month` is its first day."""
    with store.writing(f"results/{table}/{month:%Y-%m}.parquet") as stream:
        pq.write_table(rows, stream, compression="zstd")


def result_files(store: ArchiveStore, table: str) -> list[str]:
    """Return a result table's files as DuckDB names them."""
    return [store.duckdb_path(path) for path in store.list(f"results/{table}")]
