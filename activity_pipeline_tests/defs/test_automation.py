"""What the automation asks for, tick by tick, on an instance of Dagster's own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pytest
from dagster._core.test_utils import freeze_time

from activity_pipeline.defs.automation import when_cold
from activity_pipeline.defs.partitions import ARCHIVED, DAYS, DRAINED, HOT, METRICS
from activity_pipeline_tests.defs.ticks import BLOCKING, NOON, Ticks, on

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")

TODAY = NOON.date()
HOT_DAYS = 30
LAST_HOT = TODAY - timedelta(days=HOT_DAYS - 1)
COLD = LAST_HOT - timedelta(days=1)
LONG_AGO = date(2019, 7, 1)


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


@pytest.mark.slow
def test_what_was_made_before_the_first_tick_is_taken_too(ticks: Ticks) -> None:
    ticks.made(HOT, LONG_AGO, TODAY)
    asked = ticks.tick()
    assert asked["archive/events"] == on(LONG_AGO)
    assert asked["metrics/daily"] == asked["anomalies/daily"] == on(LONG_AGO, TODAY)


def test_a_late_event_has_its_archived_day_archived_again(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, COLD)
    for _ in range(3):
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
    ticks.fail(run)  # any end will do
    assert ticks.tick()["archive/events"] == on(COLD)


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


def archived(ticks: Ticks) -> None:
    """Have a day archived by a run of automation's, which checks nothing."""
    ticks.tick()
    ticks.made(HOT, COLD)
    ticks.answer(ticks.tick())


def test_days_are_retired_after_they_were_archived_and_checked(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, COLD)
    asked = ticks.tick()
    assert "archive/retired_days" not in asked
    ticks.answer(asked)
    assert (ticks.tick(), ticks.checks) == ({}, BLOCKING)
    ticks.answer({})
    assert (ticks.tick(), ticks.checks) == ({"archive/retired_days": {None}}, set())
    ticks.answer({"archive/retired_days": {None}})
    assert [ticks.tick() for _ in range(3)] == [{}, {}, {}]


@pytest.mark.slow
def test_what_blocks_is_a_run_of_its_own_and_the_rest_rides_along(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, COLD)
    asked = ticks.tick()
    (request,) = ticks.requests
    assert request.partition_key == COLD.isoformat()
    riding = {key.name for key in request.asset_check_keys or () if key.asset_key == ARCHIVED}
    assert riding == {"counts_agree", "no_partition_gap"}
    ticks.answer(asked)
    ticks.tick()
    (request,) = ticks.requests
    assert (request.partition_key, request.asset_selection) == (None, [])
    assert {key.name for key in request.asset_check_keys or ()} == BLOCKING


@pytest.mark.parametrize("failing", sorted(BLOCKING))
def test_no_day_is_retired_while_a_check_fails_and_all_go_on_when_it_passes(
    ticks: Ticks, failing: str
) -> None:
    archived(ticks)
    ticks.checked(dict.fromkeys(BLOCKING, True) | {failing: False})
    assert [ticks.tick(timedelta(minutes=20)) for _ in range(6)] == [{}] * 6
    ticks.checked({failing: True})
    assert ticks.tick() == {"archive/retired_days": {None}}


def test_a_check_that_failed_is_made_again_once_an_hour(ticks: Ticks) -> None:
    archived(ticks)
    ticks.checked({"content_equals": False, "chain_intact": True})
    checked: list[set[str]] = []
    for _ in range(9):
        ticks.tick(timedelta(minutes=20))
        checked.append(ticks.checks & BLOCKING)
        if checked[-1]:
            ticks.checked({"content_equals": False})
    assert [each for each in checked if each] == [{"content_equals"}] * 3


@pytest.mark.slow
def test_what_passed_before_the_last_export_does_not_count(ticks: Ticks) -> None:
    archived(ticks)
    ticks.checked({"content_equals": True, "chain_intact": True})
    ticks.answer(ticks.tick())
    ticks.made(ARCHIVED, LONG_AGO)
    assert (ticks.tick(), ticks.checks) == ({}, BLOCKING)
    ticks.checked({"content_equals": True})
    assert ticks.tick() == {}
    ticks.checked({"chain_intact": True})
    assert ticks.tick() == {"archive/retired_days": {None}}


@pytest.mark.slow
def test_what_a_run_exported_before_it_failed_is_checked_and_retired(ticks: Ticks) -> None:
    ticks.tick()
    run = ticks.run("archive", COLD)
    ticks.made(ARCHIVED, LONG_AGO, by=run)
    assert (ticks.tick(), ticks.checks) == ({}, set()), "its own checks may still come"
    ticks.fail(run)
    assert (ticks.tick(), ticks.checks) == ({}, BLOCKING)
    ticks.answer({})
    assert ticks.tick() == {"archive/retired_days": {None}}


@pytest.mark.slow
def test_a_check_whose_run_breaks_is_not_started_again_at_once(ticks: Ticks) -> None:
    archived(ticks)
    ticks.tick()
    assert ticks.checks == BLOCKING
    ticks.run("check", status=dg.DagsterRunStatus.FAILURE)
    asked: list[set[str]] = []
    for _ in range(8):
        ticks.tick(timedelta(minutes=15))
        asked.append(ticks.checks & BLOCKING)
        if asked[-1]:
            ticks.run("check", status=dg.DagsterRunStatus.FAILURE)
    assert [each for each in asked if each] == [BLOCKING] * 2


def test_days_that_turned_cold_while_nothing_ran_are_all_archived(ticks: Ticks) -> None:
    days = [TODAY - timedelta(days=back) for back in range(HOT_DAYS + 3)]
    ticks.tick()
    ticks.made(HOT, *days)
    for _ in range(4):
        ticks.answer(ticks.tick())
    assert ticks.tick(timedelta(days=6)).get("archive/events") == on(*days[HOT_DAYS - 6 : HOT_DAYS])


@pytest.mark.slow
def test_the_backlog_is_found_by_an_automation_that_remembers_nothing(ticks: Ticks) -> None:
    old = [LONG_AGO + timedelta(days=3 * number) for number in range(5)]
    ticks.made(HOT, *old, LAST_HOT)
    ticks.made(ARCHIVED, *old[:2])
    ticks.cursor = None
    assert ticks.tick()["archive/events"] == on(*old[2:])


def test_the_steady_state_asks_for_nothing(ticks: Ticks) -> None:
    ticks.tick()
    ticks.made(HOT, LONG_AGO, COLD, LAST_HOT, TODAY)
    for _ in range(5):
        ticks.answer(ticks.tick())
    assert [ticks.tick() for _ in range(5)] == [{}] * 5
    assert [ticks.tick(timedelta(minutes=20)) for _ in range(6)] == [{}] * 6


@pytest.mark.slow
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
