"""`legacy/history`: the old audit table day by day into the archive; there where a mapping is named."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from pathlib import Path

import dagster as dg

from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.defs.metadata import about
from activity_pipeline.defs.partitions import DAYS, OWNERS, SETTINGS
from activity_pipeline.defs.pools import ARCHIVE
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.errors import ArchiveError, LegacyError
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.ingest import DrainConfig
from activity_pipeline.legacy.history import import_day, undated_rows
from activity_pipeline.legacy.mapping import read_mapping

HISTORY = dg.AssetKey(["legacy", "history"])


@dg.asset(
    key=HISTORY,
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=30),
    group_name="legacy",
    kinds={"postgres", "parquet"},
    owners=OWNERS,
    pool=ARCHIVE,
    description="Rows of the old audit table as archived events, each day with its counts and its proof.",
    metadata=about("events", EVENT_SCHEMA),
)
def legacy_history(context: dg.AssetExecutionContext, pipeline: Pipeline) -> None:
    """Import days; those that were done are left alone, one that was interrupted is gone on with.

    A day that fails ends the run with its name; those before it are made.
    """
    settings = pipeline.settings
    mapping = read_mapping(Path(settings.legacy_mapping).expanduser())
    rules, days = DrainConfig.of(settings).rules, [date.fromisoformat(key) for key in context.partition_keys]
    done: list[date] = []
    with pipeline.open_hot() as (statements, bulk):
        for day in days:
            try:
                imported = import_day(
                    settings.legacy_dsn,
                    mapping,
                    day,
                    statements,
                    bulk,
                    pipeline.store,
                    rules=rules,
                    signer=pipeline.signer,
                )
            except (LegacyError, ArchiveError) as error:
                for each in done:
                    context.log_event(dg.AssetMaterialization(HISTORY, partition=each.isoformat()))
                raise dg.Failure(f"{day}: {error}") from error
            done.append(day)
            said = {name: value for name, value in asdict(imported).items() if name != "day"}
            said["dagster/partition_row_count"] = imported.events
            context.add_asset_metadata(said, partition_key=day.isoformat())
    publish_views(pipeline.store)


@dg.asset_check(
    asset=HISTORY,
    description="Every old row is on a day; warns of those that are not, for they are not imported.",
)
def rows_have_days(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Count the rows without a time, or at infinity."""
    settings = pipeline.settings
    undated = undated_rows(settings.legacy_dsn, read_mapping(Path(settings.legacy_mapping).expanduser()))
    return dg.AssetCheckResult(
        passed=not undated, severity=dg.AssetCheckSeverity.WARN, metadata={"rows": undated}
    )


_IS_NAMED = bool(SETTINGS.legacy_dsn and SETTINGS.legacy_mapping)
ASSETS: Sequence[dg.AssetsDefinition] = [legacy_history] if _IS_NAMED else []
CHECKS: Sequence[dg.AssetChecksDefinition] = [rows_have_days] if _IS_NAMED else []
