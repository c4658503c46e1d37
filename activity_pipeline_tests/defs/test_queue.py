"""The shipped dagster.yaml: whatever is queued, a drain starts next."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass

import dagster as dg
import pytest
from dagster._core.instance_for_test import instance_for_test
from dagster._core.remote_origin import (
    RegisteredCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.test_utils import MockedRunLauncher, create_test_daemon_workspace_context
from dagster._core.utils import make_new_run_id
from dagster._core.workspace.load_target import EmptyWorkspaceTarget
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster_shared.yaml_utils import load_yaml_from_path

from activity_pipeline.definitions import activity_pipeline
from activity_pipeline.defs.pools import POOLS, make_pools_known
from activity_pipeline.settings import packaged

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")

DAY = "2020-01-01"
REPOSITORY = RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("activity_pipeline"), "__repository__")
LAUNCHER = {"module": MockedRunLauncher.__module__, "class": MockedRunLauncher.__name__}


@dataclass
class Queue:
    """Runs in the queue of an instance as it is shipped, and the daemon that starts them."""

    instance: dg.DagsterInstance
    definitions: dg.Definitions

    def add(self, job: str, count: int = 1) -> None:
        """Queue runs of a job, as a backfill over many days does."""
        definition = self.definitions.resolve_job_def(job)
        run = self.instance.create_run_for_job(
            definition,
            tags={**definition.tags, **({"dagster/partition": DAY} if definition.partitions_def else {})},
            status=dg.DagsterRunStatus.QUEUED,
            remote_job_origin=RemoteJobOrigin(REPOSITORY, job),
        )
        for _ in range(count - 1):
            self.instance.add_run(run._replace(run_id=make_new_run_id()))

    def start(self) -> list[str]:
        """Let the daemon look at the queue once; return the jobs of the runs that it starts."""
        launcher = self.instance.run_launcher
        assert isinstance(launcher, MockedRunLauncher)
        launched: list[dg.DagsterRun] = launcher._queue
        before = len(launched)
        with (
            create_test_daemon_workspace_context(EmptyWorkspaceTarget(), self.instance) as workspace,
            QueuedRunCoordinatorDaemon(interval_seconds=1) as daemon,
        ):
            list(daemon.run_iteration(workspace))
        return [run.job_name for run in launched[before:]]

    def end(self, job: str) -> None:
        """End the runs of a job that are going on."""
        for run in self.instance.get_runs(
            dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.STARTING])
        ):
            self.instance.report_run_canceled(run)


@pytest.fixture
def queue(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queue]:
    for name in ("POSTGRES_DSN", "REDIS_URL", "ARCHIVE_URL"):
        monkeypatch.setenv(f"ACTIVITY_{name}", "nowhere: nothing is run here")
    shipped = load_yaml_from_path(str(packaged("dagster.yaml")))
    assert isinstance(shipped, dict)
    del shipped["storage"]
    with instance_for_test(overrides={**shipped, "run_launcher": LAUNCHER}) as instance:
        make_pools_known(instance)
        yield Queue(instance, activity_pipeline())


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Dagster's daemon configures the process's logging."""
    root = logging.getLogger()
    before, level = list(root.handlers), root.level
    yield
    root.handlers[:] = before
    root.setLevel(level)


def test_all_pools_are_made_known(queue: Queue) -> None:
    graph = queue.definitions.resolve_asset_graph()
    in_use = {pool for key in graph.get_all_asset_keys() for pool in graph.get(key).pools or ()}
    assert in_use == set(POOLS)
    limits = {pool.name: pool.limit for pool in queue.instance.event_log_storage.get_pool_limits()}
    assert limits == dict.fromkeys(POOLS, 1)


def test_a_drain_starts_before_the_exports_that_were_queued_before_it(queue: Queue) -> None:
    queue.add("archive", 100)
    assert queue.start() == ["archive"], "one export at a time"
    queue.add("drain")
    assert queue.start() == ["drain"]
    assert queue.start() == []
    queue.end("drain")
    queue.add("drain")
    assert queue.start() == ["drain"]
    queue.end("archive")
    assert queue.start() == ["archive"]


@pytest.mark.slow
def test_all_that_the_archive_does_is_one_run_at_a_time(queue: Queue) -> None:
    jobs = ["archive", "verify", "compact", "retire", "check"]
    for job in jobs:
        queue.add(job)
    started: list[str] = []
    for _ in jobs:
        (job,) = queue.start()
        started.append(job)
        queue.end(job)
    assert started == jobs


def test_the_pools_leave_a_slot_for_a_drain(queue: Queue) -> None:
    for job in ("archive", "metrics", "seal", "verify"):
        queue.add(job, 3)
    assert len(queue.start()) == 3, "one each for archive, computation and sealing"
    queue.add("drain")
    assert queue.start() == ["drain"]
