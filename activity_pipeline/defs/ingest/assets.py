"""`ingest/drained_events`, and the check that the ledger closes after it."""

from datetime import date

import dagster as dg

from activity_pipeline.defs.partitions import DRAINED, HOT, OWNERS
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.hot.ledger import read_ledger


@dg.asset(
    key=DRAINED,
    group_name="ingest",
    kinds={"redis", "postgres"},
    owners=OWNERS,
    pool="ingest",
    description="Events taken from queue and outboxes into the hot table, each once, until they are idle.",
)
def drained_events(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult[None]:
    """Drain, and report each day that got new events as materialized."""
    report = pipeline.drain()
    for day in report.touched_days:
        context.log_event(_day_touched(day, report.inserted[day]))
    rate = report.received / report.seconds if report.seconds else 0.0
    return dg.MaterializeResult(
        metadata={
            "received": report.received,
            "from_outbox": report.from_outbox,
            "outboxes_away": report.outboxes_away,
            "inserted": sum(report.inserted.values()),
            "duplicate": sum(report.duplicate.values()),
            "dead_lettered": report.dead_lettered,
            "adopted_from_legacy_list": report.adopted,
            "batches": report.batches,
            "days": len(report.touched_days),
            "duration_s": round(report.seconds, 3),
            "events_per_s": round(rate),
        }
    )


def _day_touched(day: date, rows: int) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=HOT,
        partition=day.isoformat(),
        metadata={"new_rows": rows, "dagster/partition_row_count": rows},
    )


@dg.asset_check(asset=DRAINED, description="Every event issued is accounted for: the residual is 0.")
def ledger_closes(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Read the ledger in one snapshot."""
    with pipeline.open_hot() as (statements, _):
        ledger = read_ledger(statements)
    return dg.AssetCheckResult(passed=ledger.residual == 0, metadata=ledger.as_dict())
