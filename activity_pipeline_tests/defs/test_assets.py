"""Assets, jobs and checks over real servers, each run in this process on an instance of its own."""

from __future__ import annotations

import base64
from datetime import timedelta

import dagster as dg
import pytest

from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.defs.partitions import (
    ANOMALIES,
    ARCHIVED,
    DRAINED,
    HOT,
    HOURLY,
    METRICS,
    RETIRED,
    SEALED,
    USERS,
)
from activity_pipeline.events.days import ONE_DAY
from activity_pipeline.events.model import REASON_TEXT, Rules
from activity_pipeline.events.model import DeadLetterReason as Reason
from activity_pipeline.hot.dead_letters import Selection
from activity_pipeline.ingest.replay import ReplayConfig, replay_stored
from activity_pipeline.metrics import METRICS_SCHEMA
from activity_pipeline_tests.defs.platform import (
    COLD,
    EDGE,
    TODAY,
    Platform,
    check,
    failure_of,
    materialized,
    moment,
    records,
)
from activity_pipeline_tests.lines import line

pytestmark = [pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]


def test_a_drain_reports_each_day_that_it_touched(platform: Platform) -> None:
    days = (TODAY, TODAY - ONE_DAY, COLD)
    for number, day in enumerate(days):
        lines = (line(100 * number + n, moment(day, n)) for n in range(number + 1))
        platform.running.send(*lines, sequence=number * (number + 1) // 2)
    result = platform.succeed("drain")
    touched = materialized(result, HOT)
    assert {day: said["new_rows"] for day, said in touched.items()} == {
        day.isoformat(): number + 1 for number, day in enumerate(days)
    }
    assert materialized(result, DRAINED)[None]["received"] == 6
    assert check(result, "ledger_closes").passed


def test_a_drain_of_nothing_touches_no_day(platform: Platform) -> None:
    result = platform.succeed("drain")
    assert materialized(result, HOT) == {}
    assert materialized(result, DRAINED)[None]["received"] == 0


def test_duplicates_touch_no_day(platform: Platform) -> None:
    platform.send(TODAY, each=3)
    again = [line(number, moment(TODAY, number)) for number in range(3)]
    platform.running.send(*again, sequence=3)
    result = platform.succeed("drain")
    assert materialized(result, HOT) == {}
    assert materialized(result, DRAINED)[None]["duplicate"] == 3


def test_days_that_have_ended_are_sealed_and_take_what_comes_later(platform: Platform) -> None:
    yesterday = TODAY - ONE_DAY
    platform.send(COLD, EDGE, yesterday, TODAY)
    said = materialized(platform.succeed("seal"), SEALED)[None]
    assert said["sealed"] == [EDGE.isoformat(), yesterday.isoformat()]
    platform.send(yesterday, start=1)
    assert platform.running.states() == {
        COLD: "reopened",
        EDGE: "sealed",
        yesterday: "sealed",
        TODAY: "open",
    }
    assert platform.running.ledger().hot == 4
    assert materialized(platform.succeed("seal"), SEALED)[None]["days"] == 0


def test_a_range_with_gaps_is_archived_and_retired(platform: Platform) -> None:
    kept = [COLD, COLD + 2 * ONE_DAY, COLD + 5 * ONE_DAY]
    platform.send(*kept, each=4)
    result = platform.succeed("archive", COLD - ONE_DAY, COLD + 6 * ONE_DAY)
    said = materialized(result, ARCHIVED)
    assert len(said) == 8, "Dagster calls a partition made where there was nothing to make"
    assert {day for day, metadata in said.items() if metadata} == {day.isoformat() for day in kept}
    assert all(metadata["dagster/partition_row_count"] == 4 for metadata in said.values() if metadata)
    assert check(result, "counts_agree").passed
    assert check(result, "no_partition_gap").passed

    result = platform.succeed("retire")
    assert materialized(result, RETIRED)[None]["days"] == 3
    assert set(platform.running.states().values()) == {"archived"}
    ledger = platform.running.ledger()
    assert (ledger.hot, ledger.late, ledger.archived, ledger.residual) == (0, 0, 12, 0)


def test_a_day_that_is_still_hot_is_refused_and_its_range_with_it(platform: Platform) -> None:
    platform.send(EDGE - ONE_DAY, EDGE)
    before = platform.running.states()
    result = platform.run("archive", EDGE - ONE_DAY, EDGE)
    assert not result.success
    error = failure_of(result).user_failure_data
    assert error is not None
    assert error.description == f"{EDGE} is still hot: days before {EDGE} can be archived"
    assert materialized(result, ARCHIVED) == {}
    assert platform.running.states() == before
    assert platform.running.store.list("") == []


def test_late_events_make_a_second_generation(platform: Platform) -> None:
    platform.send(COLD, each=2)
    platform.succeed("archive", COLD)
    platform.succeed("retire")
    platform.send(COLD, each=2, start=500)
    said = materialized(platform.succeed("archive", COLD), ARCHIVED)[COLD.isoformat()]
    assert (said["generation"], said["dagster/partition_row_count"], said["added_rows"]) == (2, 4, 2)


@pytest.mark.slow
def test_metrics_and_anomalies_of_ten_days_are_the_same_bit_by_bit_each_time(platform: Platform) -> None:
    first, last = TODAY - 40 * ONE_DAY, TODAY - 31 * ONE_DAY
    platform.send(*(first + number * ONE_DAY for number in range(0, 10, 2)), each=20)
    result = platform.succeed("metrics", first, last)
    said = materialized(result, METRICS)
    assert len(said) == 10
    assert sum(metadata.get("events", 0) for metadata in said.values()) == 100
    assert check(result, "no_stale_metrics").passed
    said = materialized(platform.succeed("anomalies", first, last), ANOMALIES)
    assert [metadata["dagster/partition_row_count"] for metadata in said.values()] == [0] * 10
    once = platform.rows("metrics"), platform.rows("anomalies")
    assert once[0]

    platform.succeed("archive", first, last)
    platform.succeed("retire")
    platform.succeed("metrics", first, last)
    platform.succeed("anomalies", first, last)
    assert (platform.rows("metrics"), platform.rows("anomalies")) == once, "from Parquet as from Postgres"


def test_the_ledger_check_fails_where_a_row_was_changed(platform: Platform) -> None:
    platform.send(TODAY, each=5)
    platform.running.statements.execute("update activity_ledger set inserted = inserted + 1")
    found = check(platform.succeed("drain"), "ledger_closes")
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.ERROR
    assert found.metadata["residual"].value != 0


def test_many_dead_letters_of_a_day_are_warned_of_until_they_are_replayed(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_ALLOWED_STATUSES", "success,failed")
    odd = line(1, moment(COLD, 1), status="odd")
    platform.running.send(odd, b"{", *(line(n, moment(COLD, n)) for n in range(2, 200)))
    assert check(platform.succeed("drain"), "few_dead_letters").passed, "exactly the limit"
    platform.running.send(b"[]", sequence=200)
    found = check(platform.succeed("drain"), "few_dead_letters")
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    (day,) = records(found, "days")
    assert (day["day"], day["arrived"], day["dead_lettered"]) == (TODAY.isoformat(), 201, 3)
    reasons = {row["reason"]: row["why"] for row in records(found, "reasons")}
    assert reasons == {
        reason.value: REASON_TEXT[reason]
        for reason in (Reason.NOT_ALLOWED, Reason.NOT_JSON, Reason.NOT_AN_OBJECT)
    }
    config = ReplayConfig(platform.running.settings.postgres_dsn, Rules(), hot_days=30)
    assert replay_stored(config, Selection(), KnownEvents(platform.running.store)).replayed == 1
    assert check(platform.succeed("drain"), "few_dead_letters").passed


def test_a_drain_says_what_waits(platform: Platform) -> None:
    platform.send(TODAY)
    said = materialized(platform.succeed("drain"), DRAINED)[None]
    assert (said["queue_waiting_events"], said["queue_oldest_s"]) == (0, 0.0)
    assert said["queue_eviction_policy"] == "noeviction"
    assert said["queue_concerns"] == "none"


def test_the_counts_check_fails_where_postgres_and_a_manifest_differ(platform: Platform) -> None:
    platform.send(COLD, COLD + ONE_DAY)
    platform.succeed("archive", COLD)
    platform.succeed("retire")
    platform.running.statements.execute(
        "update activity_days set archived_rows = archived_rows + 1 where state = 'archived'"
    )
    found = check(platform.succeed("archive", COLD + ONE_DAY), "counts_agree")
    assert not found.passed
    assert found.metadata["days"].value == 1


def test_the_gap_check_names_a_day_that_was_left_behind(platform: Platform) -> None:
    platform.send(COLD, COLD + ONE_DAY)
    found = check(platform.succeed("archive", COLD + ONE_DAY), "no_partition_gap")
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert found.metadata["missing"].value == [COLD.isoformat()]


@pytest.mark.slow
def test_the_gap_check_gives_a_day_a_day(platform: Platform) -> None:
    platform.send(COLD, EDGE - ONE_DAY)
    assert check(platform.succeed("archive", COLD), "no_partition_gap").passed


@pytest.mark.slow
def test_the_stale_check_names_a_day_that_was_left_behind(platform: Platform) -> None:
    platform.send(COLD, COLD + ONE_DAY, TODAY)
    found = check(platform.succeed("metrics", COLD), "no_stale_metrics")
    assert not found.passed
    assert found.metadata["stale"].value == [(COLD + ONE_DAY).isoformat()]


@pytest.mark.slow
def test_a_day_without_metrics_is_named(platform: Platform) -> None:
    platform.send(COLD, COLD + ONE_DAY)
    found = check(platform.succeed("metrics", COLD), "no_metrics_gap")
    assert not found.passed
    assert found.metadata["without_metrics"].value == [(COLD + ONE_DAY).isoformat()]
    platform.succeed("metrics", COLD, COLD + ONE_DAY)
    assert check(platform.succeed("metrics", COLD), "no_metrics_gap").passed


def test_the_three_tables_of_a_day_are_made_together_with_a_picture(platform: Platform) -> None:
    platform.send(COLD, each=20)
    result = platform.succeed("metrics", COLD)
    rows = {
        key: materialized(result, key)[COLD.isoformat()]["dagster/partition_row_count"]
        for key in (METRICS, HOURLY, USERS)
    }
    assert rows[METRICS] == rows[HOURLY] > rows[USERS] == 11
    said = materialized(result, METRICS)[COLD.isoformat()]
    _, _, encoded = said["volume"].partition("base64,")
    assert base64.b64decode(encoded.rstrip(")")).startswith(b"\x89PNG")
    assert set(said["dagster/column_lineage"].deps_by_column) == set(METRICS_SCHEMA.names)


def test_something_unusual_is_shown_as_a_warning(platform: Platform) -> None:
    quiet, loud = TODAY - timedelta(days=30), TODAY - ONE_DAY
    days = [quiet + number * ONE_DAY for number in range((loud - quiet).days)]
    platform.send(*days, each=20, source="shop", action="paid")
    platform.send(loud, each=400, start=500_000, source="shop", action="paid")
    platform.succeed("metrics", quiet, loud)
    result = platform.succeed("anomalies", quiet, loud)
    assert materialized(result, ANOMALIES)[loud.isoformat()]["dagster/partition_row_count"] > 0
    found = check(result, "nothing_unusual")
    assert not found.passed
    assert found.severity is dg.AssetCheckSeverity.WARN
    assert found.metadata["anomalies"].value == len(platform.rows("anomalies"))


def test_a_database_that_is_gone_is_one_readable_line(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_POSTGRES_DSN", "postgresql://activity@/activity?host=/nowhere")
    result = platform.run("retire")
    assert not result.success
    error = failure_of(result).error
    assert error is not None
    assert "Postgres does not answer" in error.to_string()
