"""`hot/events`: what the drain reports, a partition a day."""

import dagster as dg

from activity_pipeline.defs.metadata import about
from activity_pipeline.defs.partitions import DAYS, DRAINED, HOT, OWNERS
from activity_pipeline.events.judge import EVENT_SCHEMA

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
