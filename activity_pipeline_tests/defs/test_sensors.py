"""When a drain starts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import dagster as dg
import msgspec
import pytest

from activity_pipeline.definitions import activity_pipeline
from activity_pipeline.defs.ingest import sensors
from activity_pipeline.defs.ingest.sensors import (
    RecentDrains,
    decide,
    pause_after,
    queue_backlog,
    recent_drains,
)
from activity_pipeline.defs.jobs import LONGEST_DRAIN_S
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.hot.follower import following
from activity_pipeline.settings import Settings
from activity_pipeline_tests.conftest import Running

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")

LINE = b'{"source":"shop","action":"paid","timestamp":"2026-01-01T00:00:00Z","id":"%s"}'
ONE = LINE % b"01890a5d-ac96-774b-bcce-b302099a8057"


@pytest.mark.parametrize(
    ("entries", "drains", "launch"),
    [
        (0, RecentDrains(), False),
        (0, RecentDrains(in_flight=1), False),
        (1, RecentDrains(), True),
        (1, RecentDrains(in_flight=1), False),
        (10**9, RecentDrains(in_flight=2), False),
        (1, RecentDrains(failures=1, since_failure_s=4.9), False),
        (1, RecentDrains(failures=1, since_failure_s=5.0), True),
        (1, RecentDrains(failures=4, since_failure_s=39.9), False),
        (1, RecentDrains(failures=4, since_failure_s=40.0), True),
        (1, RecentDrains(in_flight=1, failures=4, since_failure_s=40.0), False),
    ],
)
def test_a_drain_starts_where_something_waits_and_nobody_is_at_it(
    entries: int, drains: RecentDrains, launch: bool
) -> None:
    decision = decide(entries=entries, drains=drains)
    assert decision.launch is launch
    assert decision.reason


def test_pauses_double_up_to_five_minutes() -> None:
    assert [pause_after(failures) for failures in range(9)] == [0, 5, 10, 20, 40, 80, 160, 300, 300]


@dataclass
class Sensed:
    """An instance of Dagster's own beside real servers."""

    running: Running
    instance: dg.DagsterInstance
    runs: list[dg.DagsterRun] = field(default_factory=list)

    def evaluate(self) -> dg.RunRequest | dg.SkipReason:
        settings = self.running.settings
        context = dg.build_sensor_context(
            self.instance,
            resources={
                "pipeline": Pipeline(
                    postgres_dsn=settings.postgres_dsn,
                    redis_url=settings.redis_url,
                    archive_url=settings.archive_root,
                )
            },
        )
        answer = queue_backlog(context)
        assert isinstance(answer, dg.RunRequest | dg.SkipReason)
        return answer

    def drain_run(self, status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED) -> dg.DagsterRun:
        definition = activity_pipeline().resolve_job_def("drain")
        return self.instance.create_run_for_job(definition, status=status)


@pytest.fixture
def sensed(running: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sensed]:
    for name, value in running.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(sensors, "WATCH_S", 0.3)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Sensed(running, instance)


def test_an_empty_queue_is_watched_and_skipped(sensed: Sensed) -> None:
    started = time.monotonic()
    answer = sensed.evaluate()
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "the queue is empty"
    assert time.monotonic() - started >= 0.3


def test_an_event_is_seen_while_the_tick_watches(sensed: Sensed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sensors, "WATCH_S", 20.0)
    sender = threading.Timer(0.3, sensed.running.send, [ONE])
    sender.start()
    started = time.monotonic()
    assert isinstance(sensed.evaluate(), dg.RunRequest)
    assert time.monotonic() - started < 5.0
    sender.join()


def test_a_backlog_asks_for_one_run(sensed: Sensed) -> None:
    sensed.running.send(ONE)
    answer = sensed.evaluate()
    assert isinstance(answer, dg.RunRequest)
    assert answer.run_key is None, "a key would let each backlog start a run only once"


def test_the_legacy_list_counts_as_backlog(sensed: Sensed) -> None:
    sensed.running.queue.lpush("activity_queue", ONE)
    assert isinstance(sensed.evaluate(), dg.RunRequest)


def test_an_outbox_counts_as_backlog_and_one_that_is_away_as_empty(
    sensed: Sensed, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = sensed.running.settings.postgres_dsn
    monkeypatch.setenv("ACTIVITY_OUTBOX_DSN", f"postgresql://activity@/x?host=/nonexistent,{own}")
    assert isinstance(sensed.evaluate(), dg.SkipReason)
    sensed.running.statements.execute("insert into activity_outbox (line) values ('{}')")
    assert isinstance(sensed.evaluate(), dg.RunRequest)
    sensed.running.statements.execute("drop table activity_outbox")
    assert isinstance(sensed.evaluate(), dg.SkipReason)


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
)
def test_no_second_drain_starts(sensed: Sensed, status: dg.DagsterRunStatus) -> None:
    sensed.running.send(ONE)
    sensed.drain_run(status)
    answer = sensed.evaluate()
    assert isinstance(answer, dg.SkipReason)
    assert "under way" in str(answer.skip_message)


def test_a_follower_is_left_to_it(sensed: Sensed) -> None:
    sensed.running.send(ONE)
    with following(sensed.running.settings.postgres_dsn):
        started = time.monotonic()
        answer = sensed.evaluate()
        assert time.monotonic() - started < sensors.WATCH_S, "there is nothing to wait for"
    assert isinstance(answer, dg.SkipReason)
    assert answer.skip_message == "1 entries wait, a follower drains them"
    assert isinstance(sensed.evaluate(), dg.RunRequest)


def test_a_database_that_is_gone_is_left_for_a_drain_to_fail_at(sensed: Sensed) -> None:
    sensed.running.send(ONE)
    nowhere = msgspec.structs.replace(
        sensed.running.settings, postgres_dsn="postgresql://activity@/nowhere?host=/nonexistent"
    )
    gone = Sensed(replace(sensed.running, settings=nowhere), sensed.instance)
    assert isinstance(gone.evaluate(), dg.RunRequest)


def test_a_drain_that_failed_just_now_is_not_followed_at_once(sensed: Sensed) -> None:
    sensed.running.send(ONE)
    for _ in range(2):
        sensed.instance.report_run_failed(sensed.drain_run())
    answer = sensed.evaluate()
    assert isinstance(answer, dg.SkipReason)
    assert "2 drains failed: next after 10 s" in str(answer.skip_message)


def test_a_success_forgets_older_failures(sensed: Sensed) -> None:
    sensed.instance.report_run_failed(sensed.drain_run())
    sensed.instance.report_run_failed(sensed.drain_run())
    sensed.drain_run(dg.DagsterRunStatus.SUCCESS)
    sensed.instance.report_run_failed(sensed.drain_run())
    records = sensed.instance.get_run_records(dg.RunsFilter(job_name="drain"))
    drains = recent_drains(records, now_s=time.time() + 3.0)
    assert (drains.in_flight, drains.failures) == (0, 1)
    assert 2.0 < drains.since_failure_s < 60.0


def test_a_drain_that_can_no_longer_say_so_is_called_dead() -> None:
    tags = activity_pipeline().resolve_job_def("drain").tags
    assert float(tags["dagster/max_runtime"]) == LONGEST_DRAIN_S > Settings().drain_budget_s
