"""`legacy/inventory`, `legacy/parity` and `legacy/coverage`, with their checks.

They are there where ACTIVITY_LEGACY_DSN is set.
"""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import msgspec
import pyarrow as pa

from activity_pipeline.defs.metadata import about, table
from activity_pipeline.defs.partitions import DRAINED, OWNERS, SETTINGS
from activity_pipeline.defs.pools import COMPUTE
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.coverage import read_bypasses
from activity_pipeline.hot.legacy import EVERYTHING, read_parity
from activity_pipeline.legacy.compare import Spans, compare, read_scope, settled_until, waiting_s, yesterday
from activity_pipeline.legacy.cutover import read_dropped
from activity_pipeline.legacy.inventory import Inventory, Overrides, read_inventory, read_overrides
from activity_pipeline.legacy.plan import drift_of, read_plan
from activity_pipeline.legacy.sentinel import look

INVENTORY = dg.AssetKey(["legacy", "inventory"])
PARITY = dg.AssetKey(["legacy", "parity"])
COVERAGE = dg.AssetKey(["legacy", "coverage"])
CHECKED_DAYS = 7
"""How far back the check of the parity looks, in days."""

_INVENTORY = pa.schema(
    [
        *(pa.field(name, pa.string()) for name in ("table", "trigger", "events", "fires", "enabled")),
        *(pa.field(name, pa.string()) for name in ("function", "verdict", "phase", "beside", "why")),
        pa.field("columns", pa.int64(), nullable=True),
        pa.field("ms", pa.float64(), nullable=True),
        pa.field("rows a day", pa.float64(), nullable=True),
    ]
)
_COUNTS = [pa.field(name, pa.int64()) for name in ("matched", "missing", "extra", "different")]
_PARITY = pa.schema([pa.field("day", pa.date32()), pa.field("table_name", pa.string()), *_COUNTS])
_COVERAGE = pa.schema(
    [
        pa.field("table_name", pa.string()),
        pa.field("looked_at", pa.timestamp("us", "UTC")),
        pa.field("changes", pa.int64()),
        pa.field("events", pa.int64(), nullable=True),
    ]
)


def _overrides(path: str) -> Overrides:
    return read_overrides(Path(path).expanduser() if path else None)


def _inventory(pipeline: Pipeline) -> Inventory:
    settings = pipeline.settings
    return read_inventory(settings.legacy_dsn, _overrides(settings.legacy_overrides))


@dg.asset(
    key=INVENTORY,
    group_name="legacy",
    kinds={"postgres"},
    owners=OWNERS,
    pool=COMPUTE,
    description="Triggers of the application: which of them audit, which say the same twice, what they cost.",
    metadata=about("legacy_inventory", _INVENTORY),
)
def legacy_inventory(context: dg.AssetExecutionContext, pipeline: Pipeline) -> None:
    """Read the catalogue; nothing of the application is changed."""
    found = _inventory(pipeline)
    context.add_output_metadata(
        {
            "dagster/row_count": len(found.triggers),
            **found.counts(),
            "audit_tables": table([asdict(each) for each in found.audit_tables]),
            "triggers": table(found.rows()),
        }
    )


@dg.asset_check(
    asset=INVENTORY,
    description="Of each trigger it is known whether it audits; warns with those that a person must judge.",
)
def triggers_judged(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Look for triggers that do more than audit, or of which the catalogue does not say what they do."""
    found = _inventory(pipeline)
    keys = {each.trigger.key for each in found.undecided}
    rows = [row for each, row in zip(found.triggers, found.rows(), strict=True) if each.trigger.key in keys]
    return dg.AssetCheckResult(
        passed=not rows, severity=dg.AssetCheckSeverity.WARN, metadata={"triggers": table(rows)}
    )


@dg.asset_check(
    asset=INVENTORY,
    description="Since the plan was made no audit trigger is new, other, or gone by itself; warns with them.",
)
def as_planned(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Compare the plan with what is there."""
    settings = pipeline.settings
    plan = read_plan(Path(settings.legacy_plan).expanduser())
    with connect(settings.legacy_dsn) as application:
        dropped = {each.planned.trigger.key for each in read_dropped(application)}
    found = drift_of(plan, _inventory(pipeline), dropped)
    return dg.AssetCheckResult(
        passed=not found.is_any,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"planned": plan.made_at.isoformat(), **found.as_dict()},
    )


@dg.asset(
    key=PARITY,
    deps=[DRAINED],
    group_name="legacy",
    kinds={"postgres"},
    owners=OWNERS,
    pool=COMPUTE,
    description="Rows of audit triggers against the events of the same changes, since yesterday.",
    metadata=about("activity_legacy_parity", _PARITY),
)
def legacy_parity(context: dg.AssetExecutionContext, pipeline: Pipeline) -> None:
    """Compare what has settled."""
    settings = pipeline.settings
    own = msgspec.structs.replace(settings, redis_url=pipeline.redis_url, postgres_dsn=pipeline.postgres_dsn)
    said = _overrides(settings.legacy_overrides)
    spans = Spans()
    with connect(settings.legacy_dsn) as application, connect(pipeline.postgres_dsn) as ours:
        until = settled_until(application, waiting_s(own, application), spans)
        report = compare(application, ours, read_scope(application, said), yesterday(), until, spans=spans)
    context.add_output_metadata(
        {
            "dagster/row_count": sum(report.totals.values()),
            "judged_until": report.judged_until.isoformat(),
            **report.totals,
            "tables": table(report.rows()),
            "samples": table([asdict(pair) for pair in report.samples[:100]]),
        }
    )


@dg.asset_check(
    asset=PARITY,
    description="Events of the last week told all that the triggers told; warns with the tables.",
)
def full_parity(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Look at what was compared."""
    now = today()
    with connect(pipeline.postgres_dsn) as ours:
        found = read_parity(ours, now - CHECKED_DAYS * ONE_DAY, now)
    wrong = [each for name, each in found.items() if name != EVERYTHING and not each.is_full]
    return dg.AssetCheckResult(
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"tables": table([asdict(each) for each in wrong])},
    )


@dg.asset(
    key=COVERAGE,
    deps=[DRAINED],
    group_name="legacy",
    kinds={"postgres"},
    owners=OWNERS,
    pool=COMPUTE,
    description="Changes of tables without audit triggers, and the events that tell of them.",
    metadata=about("activity_legacy_coverage", _COVERAGE),
)
def legacy_coverage(context: dg.AssetExecutionContext, pipeline: Pipeline) -> None:
    """Count the changes of tables whose triggers are gone."""
    with connect(pipeline.settings.legacy_dsn) as application, connect(pipeline.postgres_dsn) as ours:
        looks = look(application, ours)
    context.add_output_metadata({"dagster/row_count": len(looks), "looks": table([asdict(x) for x in looks])})


@dg.asset_check(
    asset=COVERAGE,
    description="No change of the last day bypassed the service calls; warns with the tables.",
)
def no_bypass(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Look for changes that no event tells of."""
    with connect(pipeline.postgres_dsn) as ours:
        found = read_bypasses(ours, datetime.now(UTC) - ONE_DAY)
    return dg.AssetCheckResult(
        passed=not found,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={"tables": table([asdict(each) for each in found])},
    )


legacy_job = dg.define_asset_job(
    "legacy",
    selection=dg.AssetSelection.assets(INVENTORY, PARITY, COVERAGE),
    description="List audit triggers, compare their rows with events, and look for what bypasses these.",
)
hourly_legacy = dg.ScheduleDefinition(
    name="hourly_legacy",
    job=legacy_job,
    cron_schedule="15 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Compares what has settled since the hour before.",
)

_IS_NAMED = bool(SETTINGS.legacy_dsn)
ASSETS: Sequence[dg.AssetsDefinition] = (
    [legacy_inventory, legacy_parity, legacy_coverage] if _IS_NAMED else []
)
CHECKS: Sequence[dg.AssetChecksDefinition] = (
    [triggers_judged, full_parity, no_bypass, *([as_planned] if SETTINGS.legacy_plan else [])]
    if _IS_NAMED
    else []
)
JOBS = [legacy_job] if _IS_NAMED else []
SCHEDULES = [hourly_legacy] if _IS_NAMED else []
