"""What Dagster alone knows: jobs whose runs fail, and assets that are not fresh."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import dagster as dg
from dagster import DagsterEventType
from dagster._core.definitions.freshness import FreshnessState

from activity_pipeline.alerts.rules import FailedJob, FromDagster
from activity_pipeline.defs.partitions import ANOMALIES, METRICS, VERIFIED

FAILED_WITHIN = timedelta(days=7)
"""How long a failed run is held against its job where nobody runs it again."""

SETTLED = timedelta(minutes=30)
"""How long after its last failure a job that succeeded is well again: one that fails now and then is not."""

MOST_RUNS = 200
PARTITION_TAGS = (
    "dagster/partition",
    "dagster/asset_partition_range_start",
    "dagster/asset_partition_range_end",
)
FRESH = (METRICS, ANOMALIES, VERIFIED)


def read_dagster(instance: dg.DagsterInstance, now: datetime) -> FromDagster:
    """Ask Dagster's storage."""
    return FromDagster(_failed_jobs(instance, now), _late_assets(instance))


def name_of(run: dg.DagsterRun) -> str:
    """Name what a run was to make: its job, or its assets where Dagster made up the job."""
    if not run.job_name.startswith("__"):
        return run.job_name
    checks = [f"{key.asset_key.to_user_string()}:{key.name}" for key in run.asset_check_selection or ()]
    assets = [key.to_user_string() for key in run.asset_selection or ()]
    return ", ".join(sorted(assets) or sorted(checks)) or run.job_name


def explain(failures: Sequence[dg.DagsterEvent], message: str) -> str:
    """Return what the failed steps of a run say, each in a line; the run's own message where none does."""
    return "\n".join(_why(event) for event in failures) or message


def _why(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return f"{event.step_key}: {failure.user_failure_data.description}"
    error = failure.error.cause or failure.error if failure.error else None
    return f"{event.step_key}: {error.message.strip() if error else event.message}"


def _failed_jobs(instance: dg.DagsterInstance, now: datetime) -> tuple[FailedJob, ...]:
    failed: dict[str, dict[tuple[str, ...], dg.RunRecord]] = {}
    for record in instance.get_run_records(
        dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=now - FAILED_WITHIN),
        limit=MOST_RUNS,
    ):
        run = record.dagster_run
        failed.setdefault(name_of(run), {}).setdefault(_partitions(run), record)
    found = []
    for name, records in failed.items():
        newest = next(iter(records.values()))
        left = [record for record in records.values() if not _made_good(instance, name, record)]
        ended_s = newest.end_time or newest.update_timestamp.timestamp()
        if left or now.timestamp() - ended_s < SETTLED.total_seconds():
            shown = left[0] if left else newest
            found.append(FailedJob(name, said_by(instance, shown.dagster_run.run_id), len(left) or 1))
    return tuple(found)


def _partitions(run: dg.DagsterRun) -> tuple[str, ...]:
    return tuple(run.tags.get(tag, "") for tag in PARTITION_TAGS)


def _made_good(instance: dg.DagsterInstance, name: str, failed: dg.RunRecord) -> bool:
    run = failed.dagster_run
    later = instance.get_run_records(
        dg.RunsFilter(
            job_name=run.job_name,
            statuses=[dg.DagsterRunStatus.SUCCESS],
            tags={tag: run.tags[tag] for tag in PARTITION_TAGS if tag in run.tags},
            updated_after=failed.update_timestamp,
        ),
        limit=MOST_RUNS,
    )
    return any(name_of(record.dagster_run) == name for record in later)


def said_by(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return what a failed run says."""
    events = [
        entry.get_dagster_event()
        for entry in instance.all_logs(
            run_id, of_type={DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE}
        )
        if entry.is_dagster_event
    ]
    steps = [event for event in events if event.is_step_failure]
    messages = [event.message for event in events if event.is_run_failure and event.message]
    return f"Run {run_id}: {explain(steps, messages[-1] if messages else 'no message')}"


def _late_assets(instance: dg.DagsterInstance) -> tuple[str, ...]:
    states = instance.event_log_storage.get_freshness_state_records(FRESH)
    return tuple(
        key.to_user_string()
        for key, record in states.items()
        if record.freshness_state == FreshnessState.FAIL
    )
