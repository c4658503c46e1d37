"""What must hold of the archive after each export.

`content_equals` and `chain_intact` block: while one of them fails no day is retired. They speak of all
days that are in Postgres and in Parquet at once, not of a partition each. Tried on Dagster 1.13.27: the
result of a partitioned check in a run over a range of days belongs to no partition, so a backfill
would leave none checked; and a result for each day costs as much as the day's materialization.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from activity_pipeline.archive.chain.audit import disagreements, verify_beside
from activity_pipeline.archive.chain.history import Fault
from activity_pipeline.archive.days.compare import compare_exported, exported_days
from activity_pipeline.defs.automation import when_unchecked
from activity_pipeline.defs.metadata import table
from activity_pipeline.defs.partitions import ARCHIVED
from activity_pipeline.defs.pools import ARCHIVE
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import ONE_DAY, hot_since, today
from activity_pipeline.hot.days import due_days, list_days


@dg.asset_check(
    asset=ARCHIVED,
    blocking=True,
    automation_condition=when_unchecked(),
    pool=ARCHIVE,
    description="Each day that is about to leave Postgres holds there what its Parquet holds, read back.",
)
def content_equals(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Compare the content hashes of days that are exported and not retired."""
    with pipeline.open_hot() as (statements, _):
        found = compare_exported(statements, pipeline.store)
    return dg.AssetCheckResult(
        passed=not found.faults,
        metadata={"days": found.days, "rows": found.rows, **_shown(found.faults)},
    )


@dg.asset_check(
    asset=ARCHIVED,
    blocking=True,
    automation_condition=when_unchecked(),
    pool=ARCHIVE,
    description="The chain of manifests and its signatures are whole, from the first one to the head that "
    "Postgres knows; the new files have the bytes that they were published with.",
)
def chain_intact(pipeline: Pipeline) -> dg.AssetCheckResult:
    """Verify all manifests, and the bytes of exported days alone: the rest is for the weekly look."""
    with pipeline.open_hot() as (statements, _):
        exported = {day.day for day in exported_days(statements)}
        found = verify_beside(statements, pipeline.store, pipeline.trusted_keys, only=exported)
    return dg.AssetCheckResult(
        passed=not found.faults,
        metadata={
            "manifests": found.manifests,
            "signed": found.signed,
            "days": found.days,
            "files": found.files,
            "size_bytes": found.size_bytes,
            "head": found.head.name if found.head else None,
            "head_sha256": found.head.sha256 if found.head else None,
            **_shown(found.faults),
        },
    )


def _shown(faults: Sequence[Fault]) -> dict[str, dg.MetadataValue[Any] | int]:
    rows = [{"path": fault.path, "what": fault.what} for fault in faults[:100]]
    return {"fault_count": len(faults), "faults": table(rows)}


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
