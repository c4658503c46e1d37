"""What the automation asks for, tick by tick, on an instance of Dagster's own."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.definitions.asset_daemon_cursor import AssetDaemonCursor
from dagster._core.test_utils import freeze_time

from activity_pipeline.definitions import activity_pipeline
from activity_pipeline.defs.automation import when_cold
from activity_pipeline.defs.partitions import ANOMALIES, ARCHIVED, DAYS, DRAINED, HOT, METRICS, RETIRED

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")

NOON = datetime(2026, 3, 31, 12, 1, tzinfo=UTC)
TODAY = NOON.date()
HOT_DAYS = 30
LAST_HOT = TODAY - timedelta(days=HOT_DAYS - 1)
COLD = LAST_HOT - timedelta(days=1)
LONG_AGO = date(2019, 7, 1)
TICK = timedelta(seconds=15)


class Ticks:
    """The automation sensor's ticks on a clock of the test's own."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.definitions = activity_pipeline()
        self.instance = instance
        self.now = NOON
        self.cursor: AssetDaemonCursor | None = None
        self.checks: set[str] = set()

    def tick(self, after: timedelta = TICK) -> dict[str, set[str | None]]:
        """Let time pass, evaluate, and return the partitions asked for, by asset."""
        self.now += after
        with freeze_time(self.now):
            result = dg.evaluate_automation_conditions(
                self.definitions, self.instance, evaluation_time=self.now, cursor=self.cursor
            )
        self.cursor = result.cursor
        self.checks = {
            each.key.name
            for each in result.results
            if isinstance(each.key, dg.AssetCheckKey) and not each.true_subset.is_empty
        }
        keys = (ARCHIVED, RETIRED, METRICS, ANOMALIES)
        asked = {key.to_user_string(): set(result.get_requested_partitions(key)) for key in keys}
        return {name: partitions for name, partitions in asked.items() if partitions}

    def made(self, key: dg.AssetKey, *days: date) -> None:
        """Report partitions as materialized, a moment after the last tick."""
        self.now += timedelta(seconds=1)
        with freeze_time(self.now):
            for day in days:
                self.instance.report_runless_asset_event(
                    dg.AssetMaterialization(key, partition=day.isoformat())
                )

    def run(self, job: str, day: date, status: dg.DagsterRunStatus) -> dg.DagsterRun:
        """Begin a run over a day that is, or stays, in a status."""
        with freeze_time(self.now):
            run = self.instance.create_run_for_job(
                self.definitions.resolve_job_def(job), tags={"dagster/partition": day.isoformat()}
            )
            self.instance.report_engine_event("started", run)
            if status is dg.DagsterRunStatus.FAILURE:
                self.instance.report_run_failed(run)
        return run

    def answer(self, asked: dict[str, set[str | None]]) -> None:
        """Do what was asked for."""
        for name, partitions in asked.items():
            key = dg.AssetKey(name.split("/"))
            if None in partitions:
                with freeze_time(self.now):
                    self.instance.report_runless_asset_event(dg.AssetMaterialization(key))
            else:
                self.made(key, *(date.fromisoformat(str(day)) for day in partitions))


@pytest.fixture
def ticks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ticks]:
    for name in ("POSTGRES_DSN", "REDIS_URL", "ARCHIVE_URL"):
        monkeypatch.setenv(f"ACTIVITY_{name}", "nowhere: nothing is run here")
    with dg.DagsterInstance.ephemeral() as instance:
        yield Ticks(instance)


def on(*days: date) -> set[str]:
    return {day.isoformat() for day in days}


def test_nothing_is_asked_for_on_an_empty_instance(ticks: Ticks) -> None:
    assert [ticks.tick() for _ in range(3)] == [{}, {}, {}]
    assert ticks.tick(timedelta(hours=2)) == {}
    assert ticks.tick(timedelta(days=1)) == {}


def test_the_hot_window_is_today_and_the_days_before_it(ticks: Ticks) -> None:
    with freeze_time(NOON):
        assert DAYS.get_last_partition_key() == TODAY.isoformat()
    ticks.tick()
    ticks.made(HOT, LAST_HOT, COLD)
    assert ticks.tick()["archive/events"] == on(COLD)


def test_a_window_of_one_day_is_today() -> None:
    day = dg.AssetSpec("day", partitions_def=DAYS)

    @dg.asset(deps=[day], partitions_def=DAYS, automation_condition=when_cold(1))
    def cold() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance, freeze_time(NOON):
        for at in (TODAY, TODAY - timedelta(days=1)):
            instance.report_runless_asset_event(dg.AssetMaterialization("day", partition=at.isoformat()))
        definitions = dg.Definitions(assets=[day, cold])
        result = dg.evaluate_automation_conditions(definitions, instance, evaluation_time=NOON)
    assert result.get_requested_partitions(dg.AssetKey("cold")) == on(TODAY - timedelta(days=1))


def test_a_day_is_archived_at_the_midnight_that_it_turns_cold(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, LAST_HOT)
    asked = ticks.tick()
    assert asked == {"metrics/daily": on(LAST_HOT), "anomalies/daily": on(LAST_HOT)}
    ticks.answer(asked)
    assert ticks.tick() == {}
    midnight = datetime.combine(TODAY + timedelta(days=1), datetime.min.time(), tzinfo=UTC)
    assert ticks.tick(midnight - timedelta(seconds=1) - ticks.now) == {}
    assert ticks.tick(timedelta(seconds=1)) == {"archive/events": on(LAST_HOT)}


def test_a_backlog_of_old_days_is_taken_whole_and_empty_days_are_not(ticks: Ticks) -> None:
    old = [LONG_AGO + timedelta(days=2 * number) for number in range(200)]
    ticks.tick()
    ticks.made(HOT, *old)
    asked = ticks.tick()
    assert asked == {"archive/events": on(*old), "metrics/daily": on(*old), "anomalies/daily": on(*old)}


def test_what_was_made_before_the_first_tick_is_taken_too(ticks: Ticks) -> None:
    ticks.made(HOT, LONG_AGO, TODAY)
    asked = ticks.tick()
    assert asked["archive/events"] == on(LONG_AGO)
    assert asked["metrics/daily"] == asked["anomalies/daily"] == on(LONG_AGO, TODAY)


def test_a_late_event_has_its_archived_day_archived_again(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, COLD)
    ticks.answer(ticks.tick())
    ticks.answer(ticks.tick())
    assert ticks.tick(timedelta(hours=3)) == {}
    ticks.made(HOT, COLD)
    asked = ticks.tick()
    assert asked == {"archive/events": on(COLD), "metrics/daily": on(COLD), "anomalies/daily": on(COLD)}


def test_an_event_that_comes_while_its_day_is_archived_is_not_forgotten(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, COLD)
    assert "archive/events" in ticks.tick()
    run = ticks.run("archive", COLD, dg.DagsterRunStatus.STARTED)
    ticks.tick()
    ticks.made(HOT, COLD)
    assert "archive/events" not in ticks.tick(), "a run is at it"
    ticks.made(ARCHIVED, COLD)
    with freeze_time(ticks.now):
        ticks.instance.report_run_failed(run)  # any end will do
    assert ticks.tick()["archive/events"] == on(COLD)


def test_an_event_that_comes_right_after_the_request_is_not_forgotten(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, COLD)
    ticks.tick()
    ticks.made(HOT, COLD)
    asked = ticks.tick()
    assert asked == {"archive/events": on(COLD), "metrics/daily": on(COLD)}
    ticks.answer(asked)
    assert ticks.tick().get("anomalies/daily") == on(COLD)


def test_a_failed_run_is_repeated_hourly_and_no_sooner(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, COLD)
    assert "archive/events" in ticks.tick()
    ticks.run("archive", COLD, dg.DagsterRunStatus.FAILURE)
    asked = [ticks.tick(timedelta(minutes=6)).get("archive/events") for _ in range(15)]
    assert [each for each in asked if each] == [on(COLD)] * 2


def test_a_failed_second_generation_is_repeated_too(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, COLD)
    ticks.answer(ticks.tick())
    ticks.answer(ticks.tick())
    ticks.tick()
    ticks.made(HOT, COLD)
    assert ticks.tick()["archive/events"] == on(COLD)
    ticks.run("archive", COLD, dg.DagsterRunStatus.FAILURE)
    assert "archive/events" not in ticks.tick()
    assert ticks.tick(timedelta(hours=1))["archive/events"] == on(COLD)


def test_metrics_follow_each_touched_day_and_anomalies_follow_metrics(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, LONG_AGO, LAST_HOT)
    asked = ticks.tick()
    assert asked["metrics/daily"] == asked["anomalies/daily"] == on(LONG_AGO, LAST_HOT)
    ticks.answer(asked)
    ticks.tick()
    ticks.made(METRICS, LONG_AGO)  # by hand, a range of the web page say
    assert ticks.tick().get("anomalies/daily") == on(LONG_AGO)


def test_today_is_recomputed_once_in_five_minutes(ticks: Ticks) -> None:
    ticks.tick()
    times = 0
    for _ in range(20):
        ticks.made(HOT, TODAY)
        asked = ticks.tick(timedelta(seconds=59))
        times += "metrics/daily" in asked
        assert asked.get("metrics/daily") == asked.get("anomalies/daily")
        ticks.answer({name: days for name, days in asked.items() if "/daily" in name})
    assert 4 <= times <= 6


def test_days_are_retired_after_they_were_archived(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, COLD)
    asked = ticks.tick()
    assert "archive/retired_days" not in asked
    ticks.answer(asked)
    asked = ticks.tick()
    assert asked == {"archive/retired_days": {None}}
    ticks.answer(asked)
    assert [ticks.tick() for _ in range(3)] == [{}, {}, {}]


def test_the_steady_state_asks_for_nothing(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, LONG_AGO, COLD, LAST_HOT, TODAY)
    for _ in range(5):
        ticks.answer(ticks.tick())
    assert [ticks.tick() for _ in range(5)] == [{}] * 5
    assert [ticks.tick(timedelta(minutes=20)) for _ in range(6)] == [{}] * 6


def test_what_a_follower_reports_is_checked_once_an_hour(ticks: Ticks) -> None:
    ticks.tick()
    checked: list[set[str]] = []
    for minutes in (1, 1, 20, 1, 60, 60):
        if len(checked) < 4:
            with freeze_time(ticks.now + timedelta(seconds=1)):
                ticks.instance.report_runless_asset_event(dg.AssetMaterialization(DRAINED))
        ticks.tick(timedelta(minutes=minutes))
        checked.append(ticks.checks)
    both = {"ledger_closes", "few_dead_letters"}
    assert checked == [set(), set(), both, set(), both, set()]
