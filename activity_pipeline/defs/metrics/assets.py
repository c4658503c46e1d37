"""`metrics/daily`, and the check that no day was left behind."""

import time
from datetime import date, timedelta

import dagster as dg

from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.defs.automation import when_touched
from activity_pipeline.defs.metadata import about
from activity_pipeline.defs.partitions import ARCHIVED, DAYS, HOT, METRICS, OWNERS
from activity_pipeline.defs.pools import COMPUTE
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import today
from activity_pipeline.hot.results import stale_days
from activity_pipeline.metrics import METRICS_SCHEMA, refresh_metrics

NIGHTLY = dg.FreshnessPolicy.cron(deadline_cron="0 2 * * *", lower_bound_delta=timedelta(hours=2))
"""The day before is computed soon after midnight."""


@dg.asset(
    key=METRICS,
    deps=[HOT, ARCHIVED],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=500),
    automation_condition=when_touched(but_not_by=dg.AssetSelection.assets(ARCHIVED)),
    freshness_policy=NIGHTLY,
    group_name="metrics",
    kinds={"duckdb", "postgres"},
    owners=OWNERS,
    pool=COMPUTE,
    description="Events counted by day, source, action and status, from wherever they live.",
    metadata=about("activity_metrics_daily", METRICS_SCHEMA),
)
def metrics_daily(context: dg.AssetExecutionContext, pipeline: Pipeline) -> None:
    """Recompute the partitions' days and replace them."""
    started = time.perf_counter()
    days = [date.fromisoformat(key) for key in context.partition_keys]
    with pipeline.open_hot() as (statements, bulk):
        report = refresh_metrics(statements, bulk, pipeline.store, days)
    publish_views(pipeline.store)
    seconds = round((time.perf_counter() - started) / max(len(report.days), 1), 6)
    for day, events in report.events.items():
        context.add_asset_metadata(
            {"events": events, "dagster/partition_row_count": report.rows_by_day[day], "duration_s": seconds},
            partition_key=day.isoformat(),
        )


@dg.asset_check(asset=METRICS, description="No day but today changed without its metrics being recomputed.")
def no_stale_metrics(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Compare revisions of days with those that their metrics were computed from."""
    with pipeline.open_hot() as (statements, _):
        stale = [day for day in stale_days(statements, "metrics") if day < today()]
    return dg.AssetCheckResult(
        passed=not stale,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"days": len(stale), "stale": [day.isoformat() for day in stale[:100]]},
    )
