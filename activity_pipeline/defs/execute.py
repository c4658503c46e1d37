"""Runs jobs one after the other in this process.

    python -m activity_pipeline.defs.execute activity_pipeline.definitions STEP …

The demo uses it: the runs are Dagster's own and are seen in its web pages, without the three
seconds that launching a process for each would take. One JSON object per step goes to stdout.
"""

import importlib
import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import dagster as dg

from activity_pipeline.defs.jobs import (
    anomalies_job,
    archive_job,
    compact_job,
    drain_job,
    metrics_job,
    retire_job,
    seal_job,
)
from activity_pipeline.events.days import ONE_DAY, hot_since, today
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.days import due_days
from activity_pipeline.hot.results import stale_days
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.read import backlog
from activity_pipeline.settings import load_settings

SETTINGS = load_settings()
ONE_WEEK = timedelta(weeks=1)
QUIET = {"loggers": {"console": {"config": {"log_level": "ERROR"}}}}
EVENTS_PER_WRITE = "500"
"""Dagster's events go to its storage in batches: a range of partitions yields thousands."""


@dataclass(frozen=True)
class Runner:
    """Launches runs and waits for them.

    Attributes:
        definitions: What `dagster -m` would load.
        instance: Dagster's instance.
        statements: The hot database, asked for the days that a step should take.
    """

    definitions: dg.Definitions
    instance: dg.DagsterInstance
    statements: Statements

    def run(self, job: str, tags: dict[str, str] | None = None) -> bool:
        """Run a job; return whether it succeeded."""
        definition = self.definitions.resolve_job_def(job)
        return definition.execute_in_process(instance=self.instance, tags=tags, raise_on_error=False).success

    def run_range(self, job: str, days: list[date]) -> bool:
        """Run a job over the range that the days span; none is a success."""
        if not days:
            return True
        first, last = days[0].isoformat(), days[-1].isoformat()
        return self.run(
            job,
            {"dagster/asset_partition_range_start": first, "dagster/asset_partition_range_end": last},
        )


def main(module: str, steps: list[str]) -> int:
    """Run the steps; return 1 where a run failed."""
    os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", EVENTS_PER_WRITE)
    definitions = importlib.import_module(module).activity_pipeline()
    with dg.DagsterInstance.get() as instance, connect(SETTINGS.postgres_dsn) as statements:
        # Keeps connections open: by default each of Dagster's events opens three of its own.
        instance.optimize_for_webserver(statement_timeout=60_000, pool_recycle=3600, max_overflow=4)
        runner = Runner(definitions, instance, statements)
        for step in steps:
            started = time.perf_counter()
            succeeded = STEPS[step](runner)
            seconds = round(time.perf_counter() - started, 3)
            sys.stdout.write(json.dumps({"step": step, "success": succeeded, "seconds": seconds}) + "\n")
            sys.stdout.flush()
            if not succeeded:
                return 1
    return 0


def _drain(runner: Runner) -> bool:
    with connect_queue(SETTINGS.redis_url) as queue:
        while backlog(queue, SETTINGS.queue_shards):
            if not runner.run(drain_job.name):
                return False
    return True


def _archive(runner: Runner) -> bool:
    due = due_days(runner.statements, hot_since=hot_since(today(), SETTINGS.hot_days))
    return runner.run_range(archive_job.name, due)


def _retire(runner: Runner) -> bool:
    return runner.run(retire_job.name)


def _compact(runner: Runner) -> bool:
    return runner.run(compact_job.name)


def _seal(runner: Runner) -> bool:
    return runner.run(seal_job.name)


def _metrics(runner: Runner) -> bool:
    return runner.run_range(metrics_job.name, stale_days(runner.statements, "metrics"))


def _anomalies(runner: Runner) -> bool:
    """Judge from the first touched day to a week after the last, silent days included."""
    stale = stale_days(runner.statements, "anomalies")
    if stale:
        stale.append(max(stale[-1], min(stale[-1] + ONE_WEEK, today() - ONE_DAY)))
    return runner.run_range(anomalies_job.name, stale)


STEPS: dict[str, Callable[[Runner], bool]] = {
    "drain": _drain,
    "archive": _archive,
    "retire": _retire,
    "compact": _compact,
    "seal": _seal,
    "metrics": _metrics,
    "anomalies": _anomalies,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
