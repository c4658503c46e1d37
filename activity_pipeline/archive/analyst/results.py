"""Result tables beside the events: `results/<table>/<YYYY-MM>.parquet`, a month a file, replaced whole."""

from __future__ import annotations

import re
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq

from activity_pipeline.archive.store import ArchiveStore

RESULT = re.compile(r"results/([a-z_]\w*)/[^./][^/]*\.parquet")
"""Path of a file of a table; the files that are being written have a dot before their name."""


def month_path(table: str, month: date) -> str:
    """Return the path of a month of a result table; `month` is its first day."""
    return f"results/{table}/{month:%Y-%m}.parquet"


def write_month(store: ArchiveStore, table: str, month: date, rows: pa.Table) -> None:
    """Replace a month of a result table; `month` is its first day."""
    with store.writing(month_path(table, month)) as stream:
        pq.write_table(rows, stream, compression="zstd")


def result_files(store: ArchiveStore) -> dict[str, list[str]]:
    """Return the files of each result table, relative to the root, in order."""
    tables: dict[str, list[str]] = {}
    for path in store.find("results"):
        if found := RESULT.fullmatch(path):
            tables.setdefault(found[1], []).append(path)
    return tables
