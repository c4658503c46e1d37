"""`ingest/drained_events`, and the check that the ledger closes after it."""

from dataclasses import asdict
from datetime import date

import dagster as dg

from activity_pipeline.defs.automation import when_updated_this_hour
from activity_pipeline.defs.metadata import table
from activity_pipeline.defs.partitions import DRAINED, HOT, OWNERS
from activity_pipeline.defs.pools import INGEST
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.events.model import REASON_TEXT, DeadLetterReason
from activity_pipeline.hot.dead_letters import Selection, count_by_reason
from activity_pipeline.hot.ledger import read_arrivals, read_ledger
from activity_pipeline.ingest.reporting import day_figures, drained_figures

CHECKED_DAYS = 7
"""How far back dead letters are warned of, in days."""


@dg.asset(
    key=DRAINED,
    group_name="ingest",
    kinds={"redis", "postgres"},
    owners=OWNERS,
    pool=INGEST,
    description="Events taken from queue and outboxes into the hot table, each once, until they are idle.",
)
def drained_events(context: dg.AssetExecutionContext, pipeline: Pipeline) -> dg.MaterializeResult[None]:
    """Drain, and report each day that got new events as materialized."""
    report = pipeline.drain()
    for day in report.touched_days:
        context.log_event(_day_touched(day, report.inserted[day]))
    return dg.MaterializeResult(metadata={**drained_figures(report), **pipeline.lag_figures()})


def _day_touched(day: date, rows: int) -> dg.AssetMaterialization:
    return dg.AssetMaterialization(
        asset_key=HOT,
        partition=day.isoformat(),
        metadata=day_figures(rows),
    )


@dg.asset_check(
    asset=DRAINED,
    automation_condition=when_updated_this_hour(),
    description="Every event issued is accounted for: the residual is 0.",
)
def ledger_closes(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Read the ledger in one snapshot."""
    with pipeline.open_hot() as (statements, _):
        ledger = read_ledger(statements)
    return dg.AssetCheckResult(passed=ledger.residual == 0, metadata=ledger.as_dict())


@dg.asset_check(
    asset=DRAINED,
    automation_condition=when_updated_this_hour(),
    description="Few of a day's arrivals are dead letters (setting ACTIVITY_DEAD_LETTER_SHARE); warns with "
    "their reasons.",
)
def few_dead_letters(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Look at the last days; what was replayed since counts no more."""
    limit = pipeline.settings.dead_letter_share
    now = today()
    first = now - CHECKED_DAYS * ONE_DAY
    with pipeline.open_hot() as (statements, _):
        many = [day for day in read_arrivals(statements, since=first) if day.share > limit]
        reasons = count_by_reason(statements, Selection(days=(first, now))) if many else []
    explained = [{**row, "why": REASON_TEXT[DeadLetterReason(row["reason"])]} for row in reasons]
    return dg.AssetCheckResult(
        passed=not many,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "limit": limit,
            "days": table([{**asdict(day), "share": round(day.share, 6)} for day in many]),
            "reasons": table(explained),
        },
    )
