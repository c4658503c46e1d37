"""The only Parquet writer: cold days in files that a manifest vouches for.

    events/date=2026-03-03/part-1.parquet     rows of generation 1, sorted by timestamp and id
    manifests/2026-03-03.1.json               published last; lists every file of the day
    receipts/<erasure>.json                   what was erased from where, and on whose word
    results/activity_metrics_daily/…          tables computed from events, one file a month
    views.sql                                 DuckDB views over all of it

`open_duckdb(root)` gives an analyst a DuckDB connection with the views ready.
"""

from activity_pipeline.archive.analyst.views import open_duckdb
from activity_pipeline.archive.days.cycle import archive_days
from activity_pipeline.archive.days.export import ArchivedDay, export_days
from activity_pipeline.archive.days.restore import expire_days, restore_days
from activity_pipeline.archive.days.retire import retire_days
from activity_pipeline.archive.store import ArchiveStore

__all__ = [
    "ArchiveStore",
    "ArchivedDay",
    "archive_days",
    "expire_days",
    "export_days",
    "open_duckdb",
    "restore_days",
    "retire_days",
]
