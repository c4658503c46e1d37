"""Upkeep: files are kept few, restored days dropped when their time is over, all files read back weekly."""

import time
from datetime import UTC, datetime, timedelta

import dagster as dg

from activity_pipeline.archive import expire_days
from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.archive.chain.audit import verify_beside
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.defs.metadata import about, table
from activity_pipeline.defs.partitions import ARCHIVED, COMPACTED, OWNERS, RESTORED, VERIFIED
from activity_pipeline.defs.pools import ARCHIVE
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.hot.days import list_days

ALL_DAYS = dg.AssetDep(ARCHIVED, partition_mapping=dg.AllPartitionMapping())
MOST_ROWS_SHOWN = 100
TOLD_IN_THE_ERROR = 3


@dg.asset(
    key=COMPACTED,
    deps=[ALL_DAYS],
    group_name="archive",
    kinds={"parquet"},
    owners=OWNERS,
    pool=ARCHIVE,
    description="Thin days packed into one file, the generations of others made one: the same rows.",
)
def compacted_files(pipeline: Pipeline) -> dg.MaterializeResult[None]:
    """Compact what is worth it, and sweep away what earlier compactions replaced."""
    started = time.perf_counter()
    store = pipeline.store
    with pipeline.open_hot() as (statements, _):
        written = list(compact(statements, store, pipeline.signer))
    if written:
        publish_views(store)
    rows = [
        {
            "file": file.path,
            "days": len(file.days),
            "rows": file.rows,
            "files_before": file.files,
            "bytes": file.size_bytes,
            "bytes_before": file.replaced_bytes,
        }
        for file in written
    ]
    return dg.MaterializeResult(
        metadata={
            "files": len(written),
            "files_before": sum(file.files for file in written),
            "rows": sum(file.rows for file in written),
            "size_bytes": sum(file.size_bytes for file in written),
            "bytes_before": sum(file.replaced_bytes for file in written),
            "written": table(rows[:MOST_ROWS_SHOWN]),
            "duration_s": round(time.perf_counter() - started, 3),
        }
    )


@dg.asset(
    key=RESTORED,
    deps=[ALL_DAYS],
    group_name="archive",
    kinds={"postgres"},
    owners=OWNERS,
    # A query that reads restored days for longer than we wait may be done by then.
    retry_policy=dg.RetryPolicy(max_retries=2, delay=60),
    description="Archived days that `archive restore` brought back; dropped when their time is over.",
    metadata=about("activity_logs_archive", EVENT_SCHEMA),
)
def restored_days(pipeline: Pipeline) -> dg.MaterializeResult[None]:
    """Drop the days whose time is over; show those that stay, and until when."""
    with pipeline.open_hot() as (statements, _):
        dropped = expire_days(statements, datetime.now(UTC))
        kept = [day for day in list_days(statements) if day.restored_until]
    rows = [{"day": day.day, "rows": day.archived_rows, "until": day.restored_until} for day in kept]
    return dg.MaterializeResult(
        metadata={
            "dropped": len(dropped),
            "days": len(rows),
            "rows": sum(day.archived_rows for day in kept),
            "restored": table(rows[:MOST_ROWS_SHOWN]),
        }
    )


@dg.asset(
    key=VERIFIED,
    deps=[ALL_DAYS],
    freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8)),
    group_name="archive",
    kinds={"parquet", "duckdb"},
    owners=OWNERS,
    pool=ARCHIVE,  # a file that an export has written and not published would look like a stray one
    description="The whole archive as it was published: chain, signatures, bytes, and every row read back.",
)
def verified_archive(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult[None]:
    """Verify the archive deeply; fail with the faults, so that an alert names them."""
    started = time.perf_counter()

    def progress(done: int, total: int) -> None:
        if done % (total // 10 + 1) == 0:
            context.log.info("%d of %d files", done, total)

    with pipeline.open_hot() as (statements, _):
        found = verify_beside(statements, pipeline.store, pipeline.trusted_keys, deep=True, progress=progress)
    figures = {
        "manifests": found.manifests,
        "signed": found.signed,
        "days": found.days,
        "files": found.files,
        "rows": found.rows,
        "size_bytes": found.size_bytes,
        "superseded_files": found.superseded,
        "head": found.head.name if found.head else None,
        "head_sha256": found.head.sha256 if found.head else None,
        "duration_s": round(time.perf_counter() - started, 3),
    }
    if found.faults:
        faults = [{"path": fault.path, "what": fault.what} for fault in found.faults]
        first = "; ".join(f"{fault.path} {fault.what}" for fault in found.faults[:TOLD_IN_THE_ERROR])
        raise dg.Failure(
            f"{len(faults)} faults in the archive: {first}",
            metadata={**figures, "faults": table(faults[:MOST_ROWS_SHOWN])},
        )
    return dg.MaterializeResult(metadata=figures)
