"""`archive/events` exports days that have left the hot window; `archive/retired_days` drops them."""

import time
from datetime import date

import dagster as dg

from activity_pipeline.archive import ArchivedDay, export_days, retire_days
from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.defs.automation import when_cold, when_updated
from activity_pipeline.defs.metadata import about
from activity_pipeline.defs.partitions import ARCHIVED, DAYS, HOT, OWNERS, RETIRED, SETTINGS
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import hot_since, today
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.hot.days import due_days, list_days

POLICY = dg.BackfillPolicy.multi_run(max_partitions_per_run=500)


@dg.asset(
    key=ARCHIVED,
    deps=[HOT],
    partitions_def=DAYS,
    backfill_policy=POLICY,
    automation_condition=when_cold(SETTINGS.hot_days),
    group_name="archive",
    kinds={"parquet", "duckdb"},
    owners=OWNERS,
    pool="archive",
    description="A day's events in Parquet, with a manifest that vouches for their content.",
    metadata=about("events", EVENT_SCHEMA),
)
def archive_events(context: dg.AssetExecutionContext, pipeline: Pipeline) -> None:
    """Export those of the partitions that are due; refuse days that are still hot."""
    wanted = [date.fromisoformat(key) for key in context.partition_keys]
    edge = hot_since(today(), pipeline.settings.hot_days)
    still_hot = [day for day in wanted if day >= edge]
    if still_hot:
        raise dg.Failure(f"{still_hot[0]} is still hot: days before {edge} can be archived")
    started = time.perf_counter()
    store = pipeline.store
    with pipeline.open_hot() as (statements, bulk):
        due = set(due_days(statements, hot_since=edge))
        for archived in export_days(
            statements, bulk, store, [day for day in wanted if day in due], pipeline.signer
        ):
            seconds = time.perf_counter() - started
            context.add_asset_metadata(
                {**_metadata(archived), "after_s": round(seconds, 3)}, partition_key=archived.day.isoformat()
            )
    publish_views(store)


def _metadata(archived: ArchivedDay) -> dict[str, object]:
    entry = archived.entry
    return {
        "dagster/partition_row_count": entry.row_count,
        "added_rows": archived.added_rows,
        "size_bytes": entry.size_bytes,
        "bytes_per_row": round(entry.size_bytes / entry.row_count, 1) if entry.row_count else None,
        "generation": entry.generation,
        "manifest": archived.manifest,
        "manifest_sha256": archived.sha256,
    }


@dg.asset(
    key=RETIRED,
    deps=[dg.AssetDep(ARCHIVED, partition_mapping=dg.AllPartitionMapping())],
    automation_condition=when_updated(),
    group_name="archive",
    kinds={"postgres"},
    owners=OWNERS,
    pool="archive",
    description="Archived days dropped from Postgres, once their content equals the Parquet's.",
)
def retired_days(pipeline: Pipeline) -> dg.MaterializeResult[None]:
    """Let every exported day through the gate."""
    started = time.perf_counter()
    with pipeline.open_hot() as (statements, _):
        exported = [day.day for day in list_days(statements) if day.state == "exported"]
        retired = retire_days(statements, pipeline.store, exported)
    return dg.MaterializeResult(
        metadata={
            "days": len(retired),
            "retired": [day.isoformat() for day in retired[:100]],
            "duration_s": round(time.perf_counter() - started, 3),
        }
    )
