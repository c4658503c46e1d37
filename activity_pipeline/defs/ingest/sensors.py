"""`queue_backlog`: starts a drain where events wait and none is under way."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from activity_pipeline.defs.jobs import drain_job
from activity_pipeline.defs.partitions import SETTINGS
from activity_pipeline.defs.pools import make_pools_known
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.errors import StoreError
from activity_pipeline.hot.connection import connect as connect_hot
from activity_pipeline.hot.follower import is_followed
from activity_pipeline.ingest.outbox import watch_outboxes
from activity_pipeline.queue.connection import connect
from activity_pipeline.queue.read import backlog

WATCH_S = 4.0
"""How long a tick watches an empty queue. Ticks are 5 s apart, which an event would wait otherwise."""

POLL_S = 0.2
FIRST_PAUSE_S = 5.0
LONGEST_PAUSE_S = 300.0
RUNS_LOOKED_AT = 10


@dataclass(frozen=True)
class RecentDrains:
    """What became of the last drains.

    Attributes:
        in_flight: Runs that wait, start or go on.
        failures: Failed runs since the last one that succeeded.
        since_failure_s: Time since the last of them ended, in seconds.
    """

    in_flight: int = 0
    failures: int = 0
    since_failure_s: float = 0.0


@dataclass(frozen=True)
class Decision:
    """Whether to launch a drain, and why."""

    launch: bool
    reason: str


def decide(*, entries: int, drains: RecentDrains, is_followed: bool = False) -> Decision:
    """Say whether a drain should start: something waits, and nobody is at it.

    Where drains fail, each next one waits twice as long, up to five minutes: a database that is
    down would otherwise be answered with a run, and an alert, every five seconds.
    """
    if entries == 0:
        return Decision(False, "the queue is empty")
    if is_followed:
        return Decision(False, f"{entries} entries wait, a follower drains them")
    if drains.in_flight:
        return Decision(False, f"{entries} entries wait, a drain is under way")
    pause_s = pause_after(drains.failures)
    if drains.since_failure_s < pause_s:
        return Decision(
            False, f"{entries} entries wait, {drains.failures} drains failed: next after {pause_s:.0f} s"
        )
    return Decision(True, f"{entries} entries wait")


def pause_after(failures: int) -> float:
    """Return how long to wait after so many failed drains in a row, in seconds."""
    return min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S) if failures else 0.0


def recent_drains(records: Sequence[dg.RunRecord], *, now_s: float) -> RecentDrains:
    """Sum up the newest runs.

    Args:
        records: Runs of the job, newest first.
        now_s: The time, Unix seconds.
    """
    finished = [record for record in records if record.dagster_run.is_finished]
    failed_at: list[float] = []
    for record in finished:
        if record.dagster_run.status != dg.DagsterRunStatus.FAILURE:
            break
        failed_at.append(record.end_time or record.update_timestamp.timestamp())
    return RecentDrains(
        in_flight=len(records) - len(finished),
        failures=len(failed_at),
        since_failure_s=now_s - failed_at[0] if failed_at else 0.0,
    )


@dg.sensor(
    job=drain_job,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a drain where events wait in the queue or an outbox and none is under way.",
)
def queue_backlog(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.RunRequest | dg.SkipReason:
    """Watch queue and outboxes until a drain should start or the tick's time is up."""
    ends = time.monotonic() + WATCH_S
    make_pools_known(context.instance)
    with connect(pipeline.redis_url) as client, watch_outboxes(pipeline.drain_config.outboxes) as rows:
        while True:
            entries = backlog(client, SETTINGS.queue_shards) + rows()
            followed = entries > 0 and _is_followed(pipeline.postgres_dsn)
            drains = _drains(context.instance) if entries else RecentDrains()
            decision = decide(entries=entries, drains=drains, is_followed=followed)
            if decision.launch:
                return dg.RunRequest()
            if followed or time.monotonic() >= ends:
                return dg.SkipReason(decision.reason)
            time.sleep(POLL_S)


def _is_followed(dsn: str) -> bool:
    """Ask Postgres; where it does not answer a drain is to fail, for that is heard of."""
    try:
        with connect_hot(dsn) as statements:
            return is_followed(statements)
    except StoreError:
        return False


def _drains(instance: dg.DagsterInstance) -> RecentDrains:
    records = instance.get_run_records(dg.RunsFilter(job_name=drain_job.name), limit=RUNS_LOOKED_AT)
    return recent_drains(records, now_s=time.time())
