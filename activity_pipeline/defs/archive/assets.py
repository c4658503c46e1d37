"""`archive/events` exports days that have left the hot window; `archive/retired_days` drops them."""

import time
from collections.abc import Mapping
from datetime import date
from typing import Any

import dagster as dg

from activity_pipeline.archive import ArchivedDay, export_days, retire_days
from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.archive.days.bad import BadDays
from activity_pipeline.archive.days.compare import exported_days
from activity_pipeline.defs.automation import when_cold, when_updated_and_passed
from activity_pipeline.defs.metadata import about, table
from activity_pipeline.defs.partitions import ARCHIVED, DAYS, HOT, OWNERS, RETIRED, SETTINGS
from activity_pipeline.defs.pools import ARCHIVE
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import hot_since, today
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.hot.days import due_days
from activity_pipeline.hot.sizes import partition_bytes

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
    pool=ARCHIVE,
    description="A day's events in Parquet, with a manifest that vouches for their content.",
    metadata=about("events", EVENT_SCHEMA),
)
def archive_events(context: dg.AssetExecutionContext, pipeline: Pipeline) -> None:
    """Export those of the partitions that are due; refuse days that are still hot.

    Where days fail, the others are exported and reported, and the run then fails with their names.
    """
    wanted = [date.fromisoformat(key) for key in context.partition_keys]
    edge = hot_since(today(), pipeline.settings.hot_days)
    still_hot = [day for day in wanted if day >= edge]
    if still_hot:
        raise dg.Failure(f"{still_hot[0]} is still hot: days before {edge} can be archived")
    started = time.perf_counter()
    store, bad = pipeline.store, BadDays()
    said: dict[date, dict[str, Any]] = {}
    with pipeline.open_hot() as (statements, bulk):
        due = set(due_days(statements, hot_since=edge))
        days = [day for day in wanted if day in due]
        hot_bytes = partition_bytes(statements, days)
        for archived in export_days(statements, bulk, store, days, pipeline.signer, bad):
            seconds = time.perf_counter() - started
            metadata = _metadata(archived, hot_bytes.get(archived.day))
            said[archived.day] = {**metadata, "after_s": round(seconds, 3)}
    _report(context, said, wanted, bad)
    publish_views(store)
    if bad.errors:
        raise _failure(bad, days=len(wanted), exported=len(said))


def _report(
    context: dg.AssetExecutionContext,
    said: Mapping[date, Mapping[str, Any]],
    wanted: list[date],
    bad: BadDays,
) -> None:
    """Report days as made: those of the run are reported by Dagster itself, but not where it fails."""
    for day in wanted:
        if not bad.errors:
            if day in said:
                context.add_asset_metadata(said[day], partition_key=day.isoformat())
        elif day not in bad.errors:
            context.log_event(dg.AssetMaterialization(ARCHIVED, metadata=said.get(day), partition=str(day)))
    for day in sorted(set(said) - set(wanted)):  # which a run that was killed had left half done
        context.log_event(dg.AssetMaterialization(ARCHIVED, metadata=said[day], partition=str(day)))


def _metadata(archived: ArchivedDay, hot_bytes: int | None) -> dict[str, Any]:
    """Describe a generation; a day that was hot until now is compared with its partition in Postgres."""
    entry = archived.entry
    said: dict[str, Any] = {
        "dagster/partition_row_count": entry.row_count,
        "added_rows": archived.added_rows,
        "size_bytes": entry.size_bytes,
        "bytes_per_row": round(entry.size_bytes / entry.row_count, 1) if entry.row_count else None,
        "generation": entry.generation,
        "manifest": archived.manifest,
        "manifest_sha256": archived.sha256,
    }
    if entry.files:
        said["first_at"] = dg.MetadataValue.timestamp(min(file.first_at for file in entry.files))
        said["last_at"] = dg.MetadataValue.timestamp(max(file.last_at for file in entry.files))
    if hot_bytes and entry.size_bytes:
        said["hot_bytes"] = hot_bytes
        said["ratio"] = round(hot_bytes / entry.size_bytes, 1)
    return said


def _failure(bad: BadDays, *, days: int, **done: int) -> dg.Failure:
    rows = [{"day": day, "error": error} for day, error in sorted(bad.errors.items())]
    return dg.Failure(
        f"{len(rows)} of {days} days failed: {bad.tell()}",
        metadata={"bad_days": table(rows[:100]), **done},
    )


@dg.asset(
    key=RETIRED,
    deps=[dg.AssetDep(ARCHIVED, partition_mapping=dg.AllPartitionMapping())],
    automation_condition=when_updated_and_passed(),
    group_name="archive",
    kinds={"postgres"},
    owners=OWNERS,
    pool=ARCHIVE,
    description="Archived days dropped from Postgres, once their content equals the Parquet's.",
)
def retired_days(pipeline: Pipeline) -> dg.MaterializeResult[None]:
    """Let every exported day through the gate; a day that it stops keeps no other back."""
    started = time.perf_counter()
    bad = BadDays()
    with pipeline.open_hot() as (statements, _):
        exported = [day.day for day in exported_days(statements)]
        retired = retire_days(statements, pipeline.store, exported, bad)
    if bad.errors:
        raise _failure(bad, days=len(exported), retired=len(retired))
    return dg.MaterializeResult(
        metadata={
            "days": len(retired),
            "retired": [day.isoformat() for day in retired[:100]],
            "duration_s": round(time.perf_counter() - started, 3),
        }
    )
