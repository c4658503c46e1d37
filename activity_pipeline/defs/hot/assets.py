"""`hot/events`: what the drain reports, a partition a day; `hot/sealed_days`: their full indexes."""

import time

import dagster as dg

from activity_pipeline.defs.metadata import about
from activity_pipeline.defs.partitions import DAYS, DRAINED, HOT, OWNERS, SEALED
from activity_pipeline.defs.pools import SEAL
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import hot_since, today
from activity_pipeline.events.judge import EVENT_SCHEMA
from activity_pipeline.hot.days import seal, unsealed_days

hot_events = dg.AssetSpec(
    key=HOT,
    deps=[DRAINED],
    partitions_def=DAYS,
    group_name="hot",
    kinds={"postgres"},
    owners=OWNERS,
    description="A day's events in Postgres. Written by the drain, which reports each day that it touched.",
    metadata=about("activity_logs_current", EVENT_SCHEMA),
)


@dg.asset(
    key=SEALED,
    deps=[dg.AssetDep(HOT, partition_mapping=dg.AllPartitionMapping())],
    group_name="hot",
    kinds={"postgres"},
    owners=OWNERS,
    pool=SEAL,
    description="Days that have ended, with all their indexes. Rows that come later still go in.",
    metadata=about("activity_logs_current", EVENT_SCHEMA),
)
def sealed_days(pipeline: Pipeline) -> dg.MaterializeResult[None]:
    """Seal every open day of the hot window but today."""
    started = time.perf_counter()
    edge = hot_since(today(), pipeline.settings.hot_days)
    with pipeline.open_hot() as (statements, _):
        sealed = seal(statements, unsealed_days(statements, hot_since=edge, before=today()))
    return dg.MaterializeResult(
        metadata={
            "days": len(sealed),
            "sealed": [day.isoformat() for day in sealed],
            "duration_s": round(time.perf_counter() - started, 3),
        }
    )
