"""`queue_backlog`: starts a drain where events wait and none is under way."""

from dataclasses import dataclass

import dagster as dg

from activity_pipeline.defs.jobs import drain_job
from activity_pipeline.defs.partitions import SETTINGS
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.queue.connection import connect
from activity_pipeline.queue.read import backlog

UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


@dataclass(frozen=True)
class Decision:
    """Whether to launch a drain, and why."""

    launch: bool
    reason: str


def decide(*, entries: int, drains_in_flight: int) -> Decision:
    """Say whether a drain should start: something waits, and nobody is at it."""
    if entries == 0:
        return Decision(False, "the queue is empty")
    if drains_in_flight:
        return Decision(False, f"{entries} entries wait, a drain is under way")
    return Decision(True, f"{entries} entries wait")


@dg.sensor(
    job=drain_job,
    minimum_interval_seconds=5,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts a drain where events wait in the queue and none is under way.",
)
def queue_backlog(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.RunRequest | dg.SkipReason:
    """Look at the queue and at the runs."""
    with connect(pipeline.redis_url) as client:
        entries = backlog(client, SETTINGS.queue_shards)
    in_flight = context.instance.get_runs_count(dg.RunsFilter(job_name=drain_job.name, statuses=UNFINISHED))
    decision = decide(entries=entries, drains_in_flight=in_flight)
    return dg.RunRequest() if decision.launch else dg.SkipReason(decision.reason)
