"""The only Parquet writer: cold days in files that a manifest vouches for.

    events/date=2026-03-03/part-1.parquet     rows that generation 1 added, in the order of files/layout.py
    events/packed/2025-01-01..2025-12-31.…    rows of many thin days
    manifests/2026-03-03.1.json               published last; lists every file of the day
    head.json                                 where the chain of manifests ends
    receipts/<erasure>.json                   what was erased from where, and on whose word
    results/activity_metrics_daily/…          tables computed from events, one file a month
    views.sql, activity.duckdb                DuckDB views over all of it
    iceberg/activity_logs/…                   the event files as an Iceberg table, where somebody asked for it

`open_duckdb(root)` gives an analyst a DuckDB connection with the views ready, `dataset(root)` a pyarrow
dataset, `scan(root)` a Polars frame.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from activity_pipeline.archive.analyst.views import open_duckdb
from activity_pipeline.archive.days.cycle import archive_days
from activity_pipeline.archive.days.export import ArchivedDay, export_days
from activity_pipeline.archive.days.restore import expire_days, restore_days
from activity_pipeline.archive.days.retire import retire_days
from activity_pipeline.archive.store import ArchiveStore

if TYPE_CHECKING:
    from activity_pipeline.archive.analyst.dataset import dataset, scan

__all__ = [
    "ArchiveStore",
    "ArchivedDay",
    "archive_days",
    "dataset",
    "expire_days",
    "export_days",
    "open_duckdb",
    "restore_days",
    "retire_days",
    "scan",
]


def __getattr__(name: str) -> Any:
    """Import what only analysts call when they do: every command imports this package."""
    if name in {"dataset", "scan"}:
        return getattr(import_module("activity_pipeline.archive.analyst.dataset"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
