"""The archive's assets and blocking checks over real servers, and what automation makes of them."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from activity_pipeline.archive import restore_days
from activity_pipeline.archive.chain.signing import make_key
from activity_pipeline.defs.alerts.runs import explain
from activity_pipeline.defs.partitions import ARCHIVED, COMPACTED, RESTORED, RETIRED, VERIFIED
from activity_pipeline.events.days import ONE_DAY
from activity_pipeline.hot import chain as hot_chain
from activity_pipeline_tests.defs.platform import (
    COLD,
    EDGE,
    Platform,
    check,
    failure_of,
    materialized,
    moment,
    records,
)
from activity_pipeline_tests.defs.ticks import BLOCKING, Ticks
from activity_pipeline_tests.integration.archive.test_bad_days import differ

pytestmark = [pytest.mark.filterwarnings("ignore::dagster.BetaWarning")]

DAYS = [EDGE - back * ONE_DAY for back in range(10, 0, -1)]


class Watch(Ticks):
    """Ticks on the real clock, beside real runs."""

    def look(self) -> tuple[bool, set[str]]:
        """Tick; return whether days are to be retired, and the blocking checks that are asked for."""
        self.now = datetime.now(UTC)
        return RETIRED.to_user_string() in self.tick(timedelta()), self.checks & BLOCKING


@pytest.fixture
def watch(platform: Platform) -> Watch:
    watch = Watch(platform.instance)
    watch.look()
    return watch


def make_hot(platform: Platform, *days: date) -> None:
    """Give days a partition, as they had while they were in the hot window."""
    for day in days:
        platform.running.statements.execute("select activity_create_day(%s)", [day])


def change(platform: Platform, day: date, old: str, new: str) -> None:
    """Change what Postgres holds of a day."""
    platform.running.statements.execute(
        "update activity_logs_current set action = replace(action, %s, %s) "
        "where (timestamp at time zone 'UTC')::date = %s",
        [old, new, day],
    )


def file_of(platform: Platform, day: date, generation: int = 1) -> Path:
    return Path(platform.running.store.root) / f"events/date={day}/part-{generation}.parquet"


def test_an_exported_day_says_what_it_is(platform: Platform) -> None:
    make_hot(platform, COLD)
    platform.send(COLD, each=200)
    result = platform.succeed("archive", COLD)
    said = materialized(result, ARCHIVED)[COLD.isoformat()]
    size_bytes = file_of(platform, COLD).stat().st_size
    manifest = Path(platform.running.store.root) / f"manifests/{COLD}.1.json"
    assert said["dagster/partition_row_count"] == said["added_rows"] == 200
    assert said["size_bytes"] == size_bytes
    assert said["bytes_per_row"] == round(size_bytes / 200, 1)
    assert said["hot_bytes"] > 0
    assert said["ratio"] == round(said["hot_bytes"] / size_bytes, 1)
    assert (said["generation"], said["manifest"]) == (1, f"manifests/{COLD}.1.json")
    assert said["manifest_sha256"] == hashlib.sha256(manifest.read_bytes()).hexdigest()
    assert said["first_at"] == moment(COLD, 0).timestamp()
    assert said["last_at"] == moment(COLD, 199).timestamp()
    platform.succeed("retire")
    platform.send(COLD, each=2, start=500)
    said = materialized(platform.succeed("archive", COLD), ARCHIVED)[COLD.isoformat()]
    assert (said["generation"], said["dagster/partition_row_count"], said["added_rows"]) == (2, 202, 2)
    assert "ratio" not in said, "late rows have no partition to compare with"


def test_a_backfill_with_one_bad_day_archives_the_others(
    platform: Platform, watch: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = DAYS[3]
    make_hot(platform, *DAYS)
    platform.send(*DAYS, each=3)
    with monkeypatch.context() as patched:
        differ(patched, bad)
        result = platform.run("archive", DAYS[0], DAYS[-1])
    assert not result.success
    failure = failure_of(result).user_failure_data
    assert failure is not None
    assert str(failure.description).startswith(f"1 of 10 days failed: {bad}: Postgres holds 4")
    made = platform.instance.fetch_materializations(ARCHIVED, limit=20).records
    assert sorted(str(each.partition_key) for each in made) == [str(day) for day in DAYS if day != bad]
    said = [each.asset_materialization.metadata for each in made if each.asset_materialization]
    assert [metadata["dagster/partition_row_count"].value for metadata in said] == [3] * 9
    assert platform.running.states() == dict.fromkeys(DAYS, "exported") | {bad: "frozen"}
    events = [event for event in result.all_events if event.is_step_failure]
    assert str(bad) in explain(events, "the run failed"), "an alert names it"

    assert watch.look() == (False, BLOCKING), "the run did not come to them"
    passed = platform.succeed("check")
    assert check(passed, "content_equals").metadata["days"].value == 9
    assert check(passed, "chain_intact").metadata["files"].value == 9
    assert watch.look() == (True, set())
    assert materialized(platform.succeed("retire"), RETIRED)[None]["days"] == 9
    assert platform.running.states() == dict.fromkeys(DAYS, "archived") | {bad: "frozen"}
    assert platform.running.ledger().residual == 0

    platform.succeed("archive", bad)
    platform.succeed("retire")
    assert set(platform.running.states().values()) == {"archived"}


def test_content_that_differs_keeps_days_in_postgres_until_it_is_mended(
    platform: Platform, watch: Watch
) -> None:
    make_hot(platform, COLD, COLD + ONE_DAY)
    platform.send(COLD, COLD + ONE_DAY, each=3)
    platform.succeed("archive", COLD, COLD + ONE_DAY)
    change(platform, COLD, "order", "offer")
    result = platform.run("check")
    assert not result.success
    found = check(result, "content_equals")
    assert (found.passed, found.blocking, found.severity) == (False, True, dg.AssetCheckSeverity.ERROR)
    (fault,) = records(found, "faults")
    assert fault["path"] == f"manifests/{COLD}.1.json"
    assert str(fault["what"]).startswith(f"{COLD}: Postgres holds 3 events")
    assert check(result, "chain_intact").passed
    assert [watch.look()[0] for _ in range(2)] == [False, False]

    failure = failure_of(platform.run("retire")).user_failure_data
    assert failure is not None
    assert str(COLD) in str(failure.description), "the gate does not open by hand either"
    assert platform.running.states() == {COLD: "exported", COLD + ONE_DAY: "archived"}

    change(platform, COLD, "offer", "order")
    assert check(platform.succeed("check"), "content_equals").passed
    assert watch.look() == (True, set())
    platform.succeed("retire")
    assert platform.running.states()[COLD] == "archived"


def test_a_chain_that_is_broken_keeps_days_in_postgres(
    platform: Platform, watch: Watch, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    make_key(tmp_path / "key.pem")
    monkeypatch.setenv("ACTIVITY_ARCHIVE_SIGNING_KEY", str(tmp_path / "key.pem"))
    make_hot(platform, COLD, COLD + ONE_DAY)
    platform.send(COLD, COLD + ONE_DAY)
    platform.succeed("archive", COLD)
    manifest = Path(platform.running.store.root) / f"manifests/{COLD}.1.json"
    published = manifest.read_bytes()
    manifest.write_bytes(published.replace(b'"row_count": 1', b'"row_count": 2'))
    result = platform.run("archive", COLD + ONE_DAY)
    assert not result.success
    found = check(result, "chain_intact")
    assert (found.metadata["manifests"].value, found.metadata["signed"].value) == (2, 2)
    whats = {str(row["what"]) for row in records(found, "faults")}
    assert "has a signature that is not of these bytes" in whats
    assert watch.look()[0] is False
    manifest.write_bytes(published)
    assert check(platform.succeed("check"), "chain_intact").passed
    assert watch.look() == (True, set())


def test_the_whole_archive_is_read_back_and_its_faults_are_named(platform: Platform) -> None:
    platform.send(*DAYS[:4], each=3)
    platform.succeed("archive", DAYS[0], DAYS[3])
    platform.succeed("retire")
    said = materialized(platform.succeed("verify"), VERIFIED)[None]
    assert (said["manifests"], said["days"], said["files"], said["rows"]) == (4, 4, 4, 12)
    file_of(platform, DAYS[0]).unlink()
    file_of(platform, DAYS[2]).write_bytes(b"nothing")
    assert check(platform.succeed("check"), "chain_intact").passed, "which looks at exported days alone"
    result = platform.run("verify")
    assert not result.success
    assert materialized(result, VERIFIED) == {}
    failure = failure_of(result).user_failure_data
    assert failure is not None
    missing = f"events/date={DAYS[0]}/part-1.parquet"
    assert str(failure.description).startswith(f"2 faults in the archive: {missing} is missing")
    faults = failure.metadata["faults"]
    assert isinstance(faults, dg.TableMetadataValue)
    assert [row.data["path"] for row in faults.records] == [missing, f"events/date={DAYS[2]}/part-1.parquet"]
    alert = explain([event for event in result.all_events if event.is_step_failure], "the run failed")
    assert alert.startswith("archive__verified: 2 faults in the archive")


def test_thin_days_are_compacted_and_the_archive_stays_whole(platform: Platform) -> None:
    platform.send(*DAYS, each=2)
    platform.succeed("archive", DAYS[0], DAYS[-1])
    said = materialized(platform.succeed("compact"), COMPACTED)[None]
    assert said["files"] == 0, "days that are still in Postgres are left for the next time"
    platform.succeed("retire")
    said = materialized(platform.succeed("compact"), COMPACTED)[None]
    years = len({day.year for day in DAYS})
    if years == 1:  # the days of a file are of one year
        assert (said["files"], said["files_before"], said["rows"]) == (1, 10, 20)
        assert said["bytes_before"] > said["size_bytes"] > 0
    assert materialized(platform.succeed("verify"), VERIFIED)[None]["rows"] == 20
    platform.send(DAYS[5], start=20)
    platform.succeed("archive", DAYS[5])
    platform.succeed("retire")
    assert platform.running.ledger().residual == 0


@pytest.mark.slow
def test_what_a_killed_run_left_half_done_is_reported_by_the_next(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    platform.send(COLD, COLD + ONE_DAY, each=3)

    def die(*_: object) -> None:
        raise RuntimeError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(hot_chain, "note_exported", die)
        assert not platform.run("archive", COLD).success
    assert platform.running.states()[COLD] == "frozen"
    said = materialized(platform.succeed("archive", COLD + ONE_DAY), ARCHIVED)
    assert {day: metadata["dagster/partition_row_count"] for day, metadata in said.items()} == {
        COLD.isoformat(): 3,
        (COLD + ONE_DAY).isoformat(): 3,
    }


def test_what_a_run_says_where_no_step_does() -> None:
    assert explain([], "the process is gone") == "the process is gone"


@pytest.mark.slow
def test_restored_days_go_when_their_time_is_over(platform: Platform) -> None:
    platform.send(*DAYS[:3], each=2)
    platform.succeed("archive", DAYS[0], DAYS[2])
    platform.succeed("retire")
    for day, ttl in zip(DAYS[:3], (timedelta(0), timedelta(0), ONE_DAY), strict=True):
        running = platform.running
        list(restore_days(running.statements, running.bulk, running.store, [day], ttl))
    said = materialized(platform.succeed("expire"), RESTORED)[None]
    assert (said["dropped"], said["days"], said["rows"]) == (2, 1, 2)
    (row,) = said["restored"].records
    assert row.data["day"] == str(DAYS[2])
