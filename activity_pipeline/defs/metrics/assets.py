"""`metrics/daily`, `metrics/hourly` and `metrics/users`: counted together, and checked for gaps."""

import base64
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import dagster as dg
import pyarrow as pa

from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.defs.automation import when_touched
from activity_pipeline.defs.metadata import about
from activity_pipeline.defs.partitions import ARCHIVED, DAYS, HOT, HOURLY, METRICS, OWNERS, USERS
from activity_pipeline.defs.pools import COMPUTE
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import today
from activity_pipeline.hot.connection import Statements
from activity_pipeline.hot.results import ResultTable, gap_days, hourly_volume, stale_days
from activity_pipeline.metrics import HOURLY_SCHEMA, METRICS_SCHEMA, USERS_SCHEMA, refresh_metrics
from activity_pipeline.metrics.plot import plot_volume, usual_days

NIGHTLY = dg.FreshnessPolicy.cron(deadline_cron="0 2 * * *", lower_bound_delta=timedelta(hours=2))
"""The day before is computed soon after midnight."""

MOST_PLOTS = 7
"""Days of a run that get a picture, the last ones: it takes a fifth of a second and 20 kB."""

TABLES: dict[dg.AssetKey, tuple[ResultTable, pa.Schema, str]] = {
    METRICS: ("activity_metrics_daily", METRICS_SCHEMA, "by day, source, action and status"),
    HOURLY: ("activity_metrics_hourly", HOURLY_SCHEMA, "by hour, source, action and status"),
    USERS: ("activity_users_daily", USERS_SCHEMA, "by user and day, with failures and hours"),
}

AUTOMATION = when_touched(but_not_by=dg.AssetSelection.assets(ARCHIVED))

COMPUTED_FROM = {
    "date": ["timestamp"],
    "hour": ["timestamp"],
    "first_at": ["timestamp"],
    "last_at": ["timestamp"],
    "first_hour": ["timestamp"],
    "last_hour": ["timestamp"],
    "count": ["id"],
    "events": ["id"],
    "users": ["user_id"],
    "entities": ["entity_type", "entity_id"],
    "failures": ["status"],
    "actions": ["source", "action"],
    "generation": [],
    "revision": [],
}
"""Columns of events that a column is computed from, where it is not the one of its name."""


def lineage(schema: pa.Schema) -> dg.TableColumnLineage:
    """Say which columns of hot events each column comes from."""
    return dg.TableColumnLineage(
        {
            name: [dg.TableColumnDep(HOT, column) for column in COMPUTED_FROM.get(name, [name])]
            for name in schema.names
        }
    )


LINEAGE = {key: lineage(schema) for key, (_, schema, _) in TABLES.items()}


@dg.multi_asset(
    specs=[
        dg.AssetSpec(
            key,
            deps=[HOT, ARCHIVED],
            partitions_def=DAYS,
            # The others are made by the same run.
            automation_condition=AUTOMATION if key == METRICS else None,
            freshness_policy=NIGHTLY,
            group_name="metrics",
            kinds={"duckdb", "postgres"},
            owners=OWNERS,
            description=f"Events counted {by}, from wherever they live.",
            metadata=about(name, schema),
        )
        for key, (name, schema, by) in TABLES.items()
    ],
    name="count_days",
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=500),
    pool=COMPUTE,
)
def metrics(context: dg.AssetExecutionContext, pipeline: Pipeline) -> Iterator[dg.MaterializeResult[None]]:
    """Recompute the partitions' days and replace them in all three tables."""
    started = time.perf_counter()
    days = [date.fromisoformat(key) for key in context.partition_keys]
    with pipeline.open_hot() as (statements, bulk):
        report = refresh_metrics(statements, bulk, pipeline.store, days)
        plots = draw(statements, sorted(report.events)[-MOST_PLOTS:])
    publish_views(pipeline.store)
    seconds = round((time.perf_counter() - started) / max(len(report.days), 1), 6)
    for day, events in report.events.items():
        said = {"events": events, "duration_s": seconds, **plots.get(day, {})}
        for key, (name, _, _) in TABLES.items():
            rows = {"dagster/partition_row_count": report.rows[name][day]}
            context.add_asset_metadata(
                {**said, **rows, "dagster/column_lineage": LINEAGE[key]},
                asset_key=key,
                partition_key=day.isoformat(),
            )
    for key in TABLES:
        yield dg.MaterializeResult(asset_key=key)


def draw(statements: Statements, days: Sequence[date]) -> Mapping[date, dict[str, Any]]:
    """Return a picture of each day's volume as metadata."""
    drawn: dict[date, dict[str, Any]] = {}
    for day in days:
        png = plot_volume(day, hourly_volume(statements, [*usual_days(day), day]))
        inlined = f"![events by hour](data:image/png;base64,{base64.b64encode(png).decode()})"
        drawn[day] = {"volume": dg.MetadataValue.md(inlined)}
    return drawn


@dg.asset_check(asset=METRICS, description="No day but today changed without its metrics being recomputed.")
def no_stale_metrics(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Compare revisions of days with those that their metrics were computed from."""
    with pipeline.open_hot() as (statements, _):
        stale = [day for day in stale_days(statements, "metrics") if day < today()]
    return _days_result("stale", stale)


@dg.asset_check(asset=METRICS, description="Every day that holds events has metrics.")
def no_metrics_gap(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Compare the ledger's days with those of the metrics."""
    with pipeline.open_hot() as (statements, _):
        gaps = gap_days(statements, before=today())
    return _days_result("without_metrics", gaps)


def _days_result(what: str, days: Sequence[date]) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        passed=not days,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"days": len(days), what: [day.isoformat() for day in days[:100]]},
    )
