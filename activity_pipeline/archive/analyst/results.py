"""Result tables beside the events: `results/<table>/<YYYY-MM>.parquet`, a month a file, replaced whole."""

from __future__ import annotations

import re
from datetime import date
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from activity_pipeline.archive.store import ArchiveStore

BY_USER = ("activity_users_daily", "activity_anomalies_daily")
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


def erase_user_from_results(store: ArchiveStore, user: UUID) -> None:
    """Write the files that count users by name anew without one of them; nobody computes meanwhile."""
    files = result_files(store)
    for path in (path for table in BY_USER for path in files.get(table, [])):
        rows = pq.read_table(pa.BufferReader(store.read(path)))
        if "user_id" not in rows.column_names:  # anomalies of an earlier release
            continue
        others = rows.filter(_is_not(rows["user_id"], user))
        if len(others) < len(rows):
            with store.writing(path) as stream:
                pq.write_table(others, stream, compression="zstd")


def _is_not(ids: pa.ChunkedArray, user: UUID) -> pa.ChunkedArray:
    if pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type):
        return pc.not_equal(ids, str(user))
    raw = pa.chunked_array([chunk.storage for chunk in ids.chunks], pa.binary(16))
    return pc.not_equal(raw, pa.scalar(user.bytes, pa.binary(16)))
