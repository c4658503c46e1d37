"""What must hold of the archive after each export."""

import dagster as dg

from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.defs.metadata import table
from activity_pipeline.defs.partitions import ARCHIVED
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import ONE_DAY, hot_since, today
from activity_pipeline.hot.days import due_days, list_days


@dg.asset_check(
    asset=ARCHIVED, description="Postgres and the manifests agree on the rows of each archived day."
)
def counts_agree(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Compare the days' records with the archive's newest manifests."""
    with pipeline.open_hot() as (statements, _):
        found = disagreements(statements, pipeline.store)
    return dg.AssetCheckResult(
        passed=not found, metadata={"days": len(found), "disagreements": table(found[:100])}
    )


@dg.asset_check(
    asset=ARCHIVED,
    description="No day has been out of the hot window for more than a day without an archive.",
)
def no_partition_gap(pipeline: Pipeline) -> dg.AssetCheckResult:
    """List days that should have been archived by now; freshness alone would not see an old gap."""
    edge = hot_since(today(), pipeline.settings.hot_days) - ONE_DAY
    with pipeline.open_hot() as (statements, _):
        due = [day for day in due_days(statements, hot_since=edge) if day < edge]
        # An exported day has its archive, and waits for the gate only.
        gap = [day.day for day in list_days(statements, due) if day.state != "exported"]
    return dg.AssetCheckResult(
        passed=not gap,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"days": len(gap), "missing": [day.isoformat() for day in gap[:100]]},
    )
