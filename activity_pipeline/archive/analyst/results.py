"""Result tables beside the events: `results/<table>/<YYYY-MM>.parquet`, a month a file, replaced whole."""

from __future__ import annotations

import re
from datetime import date
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from activity_pipeline.archive.store import ArchiveStore

USERS = "activity_users_daily"
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
    for path in result_files(store).get(USERS, []):
        rows = pq.read_table(pa.BufferReader(store.read(path)))
        ids = pa.chunked_array([chunk.storage for chunk in rows["user_id"].chunks], pa.binary(16))
        others = rows.filter(pc.not_equal(ids, pa.scalar(user.bytes, pa.binary(16))))
        if len(others) < len(rows):
            with store.writing(path) as stream:
                pq.write_table(others, stream, compression="zstd")
