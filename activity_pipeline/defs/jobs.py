"""Jobs, and the nightly schedules."""

import dagster as dg

from activity_pipeline.defs.partitions import (
    ANOMALIES,
    ARCHIVED,
    DRAINED,
    METRICS,
    RETIRED,
    SEALED,
    SETTINGS,
)
from activity_pipeline.events.days import ONE_DAY

LONGEST_DRAIN_S = SETTINGS.drain_budget_s + 600.0
"""After this Dagster calls a drain dead: one that was killed with its code server cannot say so itself,
and no other drain would start."""

drain_job = dg.define_asset_job(
    "drain",
    selection=dg.AssetSelection.assets(DRAINED),
    tags={"dagster/max_runtime": str(round(LONGEST_DRAIN_S))},
    description="Drain the queue until it is idle.",
)
archive_job = dg.define_asset_job(
    "archive",
    selection=dg.AssetSelection.assets(ARCHIVED),
    description="Export days that are out of the hot window.",
)
retire_job = dg.define_asset_job(
    "retire",
    selection=dg.AssetSelection.assets(RETIRED),
    description="Drop exported days from Postgres, through the gate.",
)
metrics_job = dg.define_asset_job(
    "metrics",
    selection=dg.AssetSelection.assets(METRICS),
    description="Recompute daily metrics.",
)
anomalies_job = dg.define_asset_job(
    "anomalies",
    selection=dg.AssetSelection.assets(ANOMALIES),
    description="Judge days against their history.",
)
seal_job = dg.define_asset_job(
    "seal",
    selection=dg.AssetSelection.assets(SEALED),
    description="Give the days that have ended all their indexes.",
)
nightly_job = dg.define_asset_job(
    "nightly",
    selection=dg.AssetSelection.assets(METRICS, ANOMALIES),
    description="Metrics and anomalies of the day that has ended.",
)

JOBS = [drain_job, archive_job, retire_job, metrics_job, anomalies_job, seal_job, nightly_job]


@dg.schedule(
    job=nightly_job,
    cron_schedule="30 0 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Judges the day that has ended, also one without any event: that is what silence looks like.",
)
def nightly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Ask for the day before."""
    yesterday = context.scheduled_execution_time.date() - ONE_DAY
    return dg.RunRequest(partition_key=yesterday.isoformat())


nightly_seal = dg.ScheduleDefinition(
    name="nightly_seal",
    job=seal_job,
    cron_schedule="10 0 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Seals the day that has ended, and what was imported into older ones.",
)
