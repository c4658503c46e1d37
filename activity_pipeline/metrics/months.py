"""The months of result tables beside the archive: a day's rows are replaced in the file of its month."""

from __future__ import annotations

import calendar
from collections.abc import Collection
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from activity_pipeline.archive.analyst.results import month_path, write_month
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.hot import results
from activity_pipeline.hot.connection import BulkConnection


def replace_in_months(
    bulk: BulkConnection,
    store: ArchiveStore,
    table: results.ResultTable,
    days: Collection[date],
    rows: pa.Table,
) -> None:
    """Replace a table's rows of days in the files of their months.

    The other days of a month are taken from its file, which is quicker than from Postgres; they come
    from there where there is no file yet, or one of an earlier release.

    Args:
        bulk: Postgres, whose rows are these already.
        store: The archive.
        table: The table, whose first column is its date or hour and begins its key.
        days: All days that were computed, those without rows included.
        rows: Their rows, in the table's order.
    """
    for month in results.months_of(days):
        kept = _kept(store, table, month, days, rows.schema)
        if kept is None:
            last = month.replace(day=calendar.monthrange(month.year, month.month)[1])
            write_month(store, table, month, results.read_table(bulk, table, month, last))
            continue
        of_month = rows.filter(pc.equal(_months(rows), pa.scalar(month, pa.date32())))
        # Stable: rows of one day or hour stay in the order of the key.
        write_month(store, table, month, pa.concat_tables([kept, of_month]).sort_by(rows.column_names[0]))


def _kept(
    store: ArchiveStore, table: str, month: date, days: Collection[date], schema: pa.Schema
) -> pa.Table | None:
    """Return the rows of the month's other days, None where its file does not have them."""
    path = month_path(table, month)
    if not store.exists(path):
        return None
    held = pq.read_table(pa.BufferReader(store.read(path)))
    if not held.schema.equals(schema):
        return None
    return held.filter(pc.invert(pc.is_in(_days(held), value_set=pa.array(days, pa.date32()))))


def _days(rows: pa.Table) -> pa.ChunkedArray:
    return rows.column(0).cast(pa.date32())


def _months(rows: pa.Table) -> pa.ChunkedArray:
    return pc.floor_temporal(_days(rows), unit="month").cast(pa.date32())
