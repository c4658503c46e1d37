"""Assembles the Dagster definitions, nothing else."""

import dagster as dg

from activity_pipeline.defs.alerts.sensors import run_failed, watch
from activity_pipeline.defs.anomalies.assets import anomalies_daily, nothing_unusual
from activity_pipeline.defs.archive.assets import archive_events, retired_days
from activity_pipeline.defs.archive.checks import chain_intact, content_equals, counts_agree, no_partition_gap
from activity_pipeline.defs.archive.upkeep import compacted_files, restored_days, verified_archive
from activity_pipeline.defs.automation import automation
from activity_pipeline.defs.hot.assets import hot_events, sealed_days
from activity_pipeline.defs.ingest.assets import drained_events, few_dead_letters, ledger_closes
from activity_pipeline.defs.ingest.sensors import queue_backlog
from activity_pipeline.defs.jobs import JOBS, SCHEDULES
from activity_pipeline.defs.legacy import assets as legacy
from activity_pipeline.defs.legacy import history
from activity_pipeline.defs.metrics.assets import metrics, no_metrics_gap, no_stale_metrics
from activity_pipeline.defs.resources import Pipeline


@dg.definitions
def activity_pipeline() -> dg.Definitions:
    """Everything that Dagster knows of the pipeline."""
    return dg.Definitions(
        assets=[
            drained_events,
            hot_events,
            sealed_days,
            archive_events,
            retired_days,
            compacted_files,
            restored_days,
            verified_archive,
            metrics,
            anomalies_daily,
            *legacy.ASSETS,
            *history.ASSETS,
        ],
        asset_checks=[
            ledger_closes,
            few_dead_letters,
            content_equals,
            chain_intact,
            counts_agree,
            no_partition_gap,
            no_stale_metrics,
            no_metrics_gap,
            nothing_unusual,
            *legacy.CHECKS,
            *history.CHECKS,
        ],
        jobs=[*JOBS, *legacy.JOBS],
        schedules=[*SCHEDULES, *legacy.SCHEDULES],
        sensors=[queue_backlog, automation, run_failed, watch],
        # Steps run in the run's own process: one more for each would take longer than most steps do.
        executor=dg.in_process_executor,
        resources={
            "pipeline": Pipeline(
                postgres_dsn=dg.EnvVar("ACTIVITY_POSTGRES_DSN"),
                redis_url=dg.EnvVar("ACTIVITY_REDIS_URL"),
                archive_url=dg.EnvVar("ACTIVITY_ARCHIVE_URL"),
            )
        },
    )
