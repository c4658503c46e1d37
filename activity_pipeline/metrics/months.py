"""The months of result tables beside the archive: a day's rows are replaced in the file of its month."""

from __future__ import annotations

import calendar
from collections.abc import Collection
from datetime import date

import numpy as np
import numpy.typing as npt
import pyarrow as pa
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
        held = _held(store, table, month, rows.schema)
        if held is None:
            last = month.replace(day=calendar.monthrange(month.year, month.month)[1])
            held = results.read_table(bulk, table, month, last)
        else:
            of_month = [day for day in days if day.replace(day=1) == month]
            held = _replaced(held, sorted(of_month), rows)
        write_month(store, table, month, held)


def _held(store: ArchiveStore, table: str, month: date, schema: pa.Schema) -> pa.Table | None:
    """Return the rows of a month's file, None where there is none of this schema."""
    path = month_path(table, month)
    if not store.exists(path):
        return None
    held = pq.read_table(pa.BufferReader(store.read(path)))
    return held if held.schema.equals(schema) else None


def _replaced(held: pa.Table, days: list[date], rows: pa.Table) -> pa.Table:
    """Put the rows of days in the place of those that were there; both are in order of their days."""
    held_days, new_days = _days(held), _days(rows)
    pieces, start = [], 0
    for day in days:
        at = np.datetime64(day)
        old, new = (
            (int(of.searchsorted(at)), int(of.searchsorted(at, side="right"))) for of in (held_days, new_days)
        )
        pieces += [held.slice(start, old[0] - start), rows.slice(new[0], new[1] - new[0])]
        start = old[1]
    return pa.concat_tables([*pieces, held.slice(start)])


def _days(rows: pa.Table) -> npt.NDArray[np.datetime64]:
    days: npt.NDArray[np.datetime64] = rows.column(0).cast(pa.date32()).to_numpy()
    return days
