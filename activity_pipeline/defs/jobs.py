"""Jobs, and the nightly schedules."""

import dagster as dg

from activity_pipeline.defs.partitions import (
    ANOMALIES,
    ARCHIVED,
    COMPACTED,
    DRAINED,
    HOURLY,
    METRICS,
    RESTORED,
    RETIRED,
    SEALED,
    SETTINGS,
    USERS,
    VERIFIED,
)
from activity_pipeline.events.days import ONE_DAY

LONGEST_DRAIN_S = SETTINGS.drain_budget_s + 600.0
"""After this Dagster calls a drain dead: one that was killed with its code server cannot say so itself,
and no other drain would start."""

drain_job = dg.define_asset_job(
    "drain",
    selection=dg.AssetSelection.assets(DRAINED),
    # A drain goes before whatever else is queued; its pool sees to it that there is one at a time.
    tags={"dagster/max_runtime": str(round(LONGEST_DRAIN_S)), "dagster/priority": "10"},
    description="Drain the queue until it is idle.",
)
archive_job = dg.define_asset_job(
    "archive",
    selection=dg.AssetSelection.assets(ARCHIVED),
    description="Export days that are out of the hot window.",
)
check_job = dg.define_asset_job(
    "check",
    selection=dg.AssetSelection.checks(
        dg.AssetCheckKey(ARCHIVED, "content_equals"), dg.AssetCheckKey(ARCHIVED, "chain_intact")
    ),
    description="Check what days are retired by, again: for whoever has just mended something.",
)
retire_job = dg.define_asset_job(
    "retire",
    selection=dg.AssetSelection.assets(RETIRED),
    description="Drop exported days from Postgres, through the gate.",
)
compact_job = dg.define_asset_job(
    "compact",
    selection=dg.AssetSelection.assets(COMPACTED),
    description="Rewrite the files of thin days, and the generations of others, into fewer files.",
)
expire_job = dg.define_asset_job(
    "expire",
    selection=dg.AssetSelection.assets(RESTORED),
    description="Drop the restored days whose time is over.",
)
verify_job = dg.define_asset_job(
    "verify",
    selection=dg.AssetSelection.assets(VERIFIED),
    description="Read the whole archive back and compare it with its manifests.",
)
metrics_job = dg.define_asset_job(
    "metrics",
    selection=dg.AssetSelection.assets(METRICS, HOURLY, USERS),
    description="Recompute the metrics of days.",
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
    selection=dg.AssetSelection.assets(METRICS, HOURLY, USERS, ANOMALIES),
    description="Metrics and anomalies of the day that has ended.",
)

JOBS = [
    drain_job,
    archive_job,
    check_job,
    retire_job,
    compact_job,
    expire_job,
    verify_job,
    metrics_job,
    anomalies_job,
    seal_job,
    nightly_job,
]


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

nightly_compaction = dg.ScheduleDefinition(
    name="nightly_compaction",
    job=compact_job,
    cron_schedule="50 1 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Compacts what the days before have left in many files, and sweeps away what was replaced.",
)

hourly_expiry = dg.ScheduleDefinition(
    name="hourly_expiry",
    job=expire_job,
    cron_schedule="5 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Drops the restored days whose time is over.",
)

weekly_verification = dg.ScheduleDefinition(
    name="weekly_verification",
    job=verify_job,
    cron_schedule="20 3 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Reads the whole archive back on Sundays: disks and people change bytes that nobody reads.",
)

SCHEDULES: list[dg.ScheduleDefinition] = [
    nightly,
    nightly_seal,
    nightly_compaction,
    hourly_expiry,
    weekly_verification,
]
