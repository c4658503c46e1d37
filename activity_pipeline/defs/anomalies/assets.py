"""`anomalies/daily`, and the check that shows them."""

import time
from datetime import date
from typing import Any

import dagster as dg
import pyarrow as pa

from activity_pipeline.anomalies.model import ANOMALY_SCHEMA
from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.defs.automation import when_recomputed
from activity_pipeline.defs.metadata import about, table
from activity_pipeline.defs.metrics.assets import NIGHTLY
from activity_pipeline.defs.partitions import ANOMALIES, DAYS, METRICS, OWNERS
from activity_pipeline.defs.pools import COMPUTE
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import today
from activity_pipeline.hot.judgements import list_anomalies

MOST_ROWS_SHOWN = 20
SEVERITIES = ("critical", "warning", "info")
CHECKED_DAYS = 7
"""How far back the check shows anomalies, in days."""


@dg.asset(
    key=ANOMALIES,
    deps=[METRICS],
    partitions_def=DAYS,
    backfill_policy=dg.BackfillPolicy.multi_run(max_partitions_per_run=500),
    automation_condition=when_recomputed(),
    freshness_policy=NIGHTLY,
    group_name="anomalies",
    kinds={"polars", "postgres"},
    owners=OWNERS,
    pool=COMPUTE,
    description="Spikes, drops, failure rates, silent sources and newcomers, each with a sentence.",
    metadata=about("activity_anomalies_daily", pa.schema(ANOMALY_SCHEMA.to_frame().to_arrow().schema)),
)
def anomalies_daily(context: dg.AssetExecutionContext, pipeline: Pipeline) -> None:
    """Judge the partitions' days against their history."""
    from activity_pipeline.anomalies.refresh import refresh_anomalies  # noqa: PLC0415 - scipy, for this alone

    started = time.perf_counter()
    days = [date.fromisoformat(key) for key in context.partition_keys]
    with pipeline.open_hot() as (statements, bulk):
        found = refresh_anomalies(statements, bulk, pipeline.store, days)
    publish_views(pipeline.store)
    seconds = round((time.perf_counter() - started) / len(days), 6)
    by_day = {day: rows for (day,), rows in found.group_by(["date"])}
    for day in days:
        metadata: dict[str, Any] = {"dagster/partition_row_count": 0, "duration_s": seconds}
        if day in by_day:
            rows = by_day[day]
            metadata["dagster/partition_row_count"] = len(rows)
            metadata["rows"] = table(rows.head(MOST_ROWS_SHOWN).to_dicts())
        context.add_asset_metadata(metadata, partition_key=day.isoformat())


@dg.asset_check(
    asset=ANOMALIES,
    description="Nothing unusual in the last week that nobody has looked at; warns with the rows.",
)
def nothing_unusual(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Show the anomalies of the last days."""
    now = today()
    with pipeline.open_hot() as (statements, _):
        first = date.fromordinal(now.toordinal() - CHECKED_DAYS)
        found = list_anomalies(statements, first, now)
    news = [each for each in found if not each.muted and not each.acknowledged_by]
    rows = [
        {name: getattr(each, name) for name in ("severity", "date", "kind", "source", "action", "sentence")}
        for each in sorted(news, key=lambda each: SEVERITIES.index(each.severity))
    ]
    return dg.AssetCheckResult(
        passed=not news,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "anomalies": len(news),
            "muted": sum(1 for each in found if each.muted),
            "acknowledged": sum(1 for each in found if each.acknowledged_by),
            "rows": table(rows[:100]),
        },
    )
