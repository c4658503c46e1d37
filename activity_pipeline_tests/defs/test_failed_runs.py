"""That a failed run is heard of, over a real HTTP sink, with Postgres and without it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from activity_pipeline.alerts import Alert, channels_of
from activity_pipeline.alerts.watch import Told, send_due
from activity_pipeline.definitions import activity_pipeline
from activity_pipeline.defs.alerts import sensors
from activity_pipeline.defs.alerts.sensors import run_failed, send_patiently
from activity_pipeline.errors import AlertError
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.sinks import Webhook, webhook_sink

pytestmark = [
    pytest.mark.filterwarnings("ignore::dagster.BetaWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise.*"),
]
AWAY = "postgresql://activity@/activity?host=/nowhere"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    with webhook_sink() as server:
        yield server


@dataclass
class Failures:
    """The failure sensor's ticks over one instance."""

    instance: dg.DagsterInstance
    cursor: str | None = None

    def fail(self, job: str = "drain") -> dg.DagsterRun:
        run = self.instance.create_run_for_job(
            activity_pipeline().resolve_job_def(job), status=dg.DagsterRunStatus.STARTED
        )
        self.instance.report_run_failed(run, "the database is gone")
        return run

    def tick(self) -> list[Any]:
        """Evaluate as the daemon does; return what Dagster is told of each run."""
        context = dg.build_sensor_context(self.instance, cursor=self.cursor, repository_name=None)
        result = run_failed.evaluate_tick(context)
        self.cursor = result.cursor
        return [reaction.error for reaction in result.dagster_run_reactions or []]


@pytest.fixture
def failures(running: Running, monkeypatch: pytest.MonkeyPatch, webhook: Webhook) -> Iterator[Failures]:
    for name, value in running.settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ACTIVITY_ALERT_URLS", webhook.url)
    monkeypatch.setattr(sensors, "PAUSES_S", (0.01, 0.01))
    monkeypatch.setattr(sensors, "_sent_without", {})
    with dg.DagsterInstance.ephemeral() as instance:
        failures = Failures(instance)
        failures.tick()
        yield failures


@pytest.fixture
def without_postgres(failures: Failures, monkeypatch: pytest.MonkeyPatch) -> Failures:
    monkeypatch.setenv("ACTIVITY_POSTGRES_DSN", AWAY)
    return failures


def test_a_failed_run_reaches_the_webhook_once(failures: Failures, webhook: Webhook) -> None:
    run = failures.fail()
    assert failures.tick() == [None]
    assert failures.tick() == []
    (alert,) = webhook.taken
    assert alert["title"] == "Run of drain failed"
    assert run.run_id in alert["message"]
    assert "the database is gone" in alert["message"]


def test_a_job_that_fails_again_is_known(failures: Failures, webhook: Webhook) -> None:
    for _ in range(3):
        failures.fail()
    failures.fail("seal")
    assert failures.tick() == [None] * 4
    assert [alert["title"] for alert in webhook.taken] == ["Run of drain failed", "Run of seal failed"]


def test_the_alert_says_what_went_wrong_in_a_step(without_postgres: Failures, webhook: Webhook) -> None:
    job = activity_pipeline().resolve_job_def("retire")
    assert not job.execute_in_process(instance=without_postgres.instance, raise_on_error=False).success
    assert without_postgres.tick() == [None]
    (alert,) = webhook.taken
    assert "archive__retired_days: " in alert["message"]
    assert "StoreError: Postgres does not answer" in alert["message"]
    assert "Traceback" not in alert["message"]


def test_a_channel_that_stumbles_is_told_by_a_later_look(
    failures: Failures, running: Running, webhook: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activity_pipeline.alerts.watch.FIRST_PAUSE", timedelta())
    webhook.refusals = 1
    failures.fail()
    assert failures.tick() == [None], "a channel that fails fails no tick"
    assert webhook.taken == []
    told = Told()
    send_due(running.statements, channels_of([webhook.url]), told)
    assert told.sent == ["run/drain"]
    assert [alert["title"] for alert in webhook.taken] == ["Run of drain failed"]


def test_without_postgres_a_channel_that_stumbles_is_tried_again(
    without_postgres: Failures, webhook: Webhook
) -> None:
    webhook.refusals = 2
    without_postgres.fail()
    assert without_postgres.tick() == [None]
    assert len(webhook.taken) == 1


def test_without_postgres_a_dead_channel_costs_that_alert_and_no_other(
    without_postgres: Failures, webhook: Webhook
) -> None:
    webhook.refusals = 3
    without_postgres.fail()
    without_postgres.fail("seal")
    first, second = without_postgres.tick()
    assert "AlertError" in first.to_string(), "shown in the failed run's log"
    assert second is None
    assert len(webhook.taken) == 1
    assert without_postgres.tick() == []


def test_no_channel_is_no_error() -> None:
    assert send_patiently(Alert("title", "body"), [], pauses_s=[]) == 0


def test_the_last_error_is_raised(webhook: Webhook) -> None:
    webhook.refusals = 2
    with pytest.raises(AlertError):
        send_patiently(Alert("title", "body"), [webhook.url], pauses_s=[0.01])
    assert send_patiently(Alert("title", "body"), [webhook.url], pauses_s=[]) == 1
