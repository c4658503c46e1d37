"""A day moves to Parquet through the gate: nothing lost, nothing twice, every manifest chained."""

from __future__ import annotations

import logging
import random
import stat
import threading
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import pytest

from activity_pipeline.archive import retire_days
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ArchiveError
from activity_pipeline.events.days import ONE_DAY
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import connect
from activity_pipeline_tests.integration.archive.conftest import Cold


def test_the_way_of_a_day(cold: Cold) -> None:
    day = cold.day(1)
    ids = cold.send_hot(day, 100)
    hot_ids = cold.send(cold.day(-1))
    assert hot.seal(cold.running.statements, [day]) == [day]
    assert cold.due() == [day]
    assert len(cold.export()) == 1
    assert cold.running.states()[day] == "exported"
    assert cold.running.count("activity_logs_current") == 110
    assert cold.due() == [day]
    assert retire_days(cold.running.statements, cold.running.store, [day]) == [day]
    assert cold.running.states() == {day: "archived", cold.day(-1): "open"}
    assert cold.running.count("activity_logs_current") == 10
    assert cold.due() == []
    manifest = cold.newest(day)
    assert (manifest.row_count, manifest.generation, len(manifest.files)) == (100, 1, 1)
    (file,) = manifest.files
    assert file.path == f"events/date={day}/part-1.parquet"
    assert manifest.size_bytes == file.size_bytes == cold.running.store.size(file.path)
    assert file.last_at - file.first_at == ONE_DAY - timedelta(microseconds=1)
    (row,) = hot.list_days(cold.running.statements, [day])
    assert (row.generation, row.archived_rows, row.archived_bytes) == (1, 100, manifest.size_bytes)
    cold.check([*ids, *hot_ids])
    assert cold.archive() == []


def test_late_events_make_the_next_generation(cold: Cold) -> None:
    day = cold.day(3)
    ids = cold.send_hot(day)
    cold.archive()
    for generation in (2, 3):
        ids += cold.send(day, 5)
        assert cold.running.states()[day] == "reopened"
        (archived,) = cold.archive()
        assert (archived.entry.generation, archived.added_rows) == (generation, 5)
    assert [file.generation for file in cold.newest(day).files] == [1, 2, 3]
    cold.check(ids)


def test_a_day_that_was_never_hot(cold: Cold) -> None:
    ids = cold.send(cold.day(400))
    assert cold.running.count("activity_logs_late") == 10
    cold.archive()
    assert cold.running.count("activity_logs_late") == 0
    cold.check(ids)


def test_a_day_with_a_partition_and_late_rows(cold: Cold) -> None:
    day = cold.day(1)
    ids = cold.send_hot(day)
    hot.freeze(cold.running.statements, [day])
    ids += cold.send(day)
    assert cold.running.count("activity_logs_late") == 10
    (first,) = cold.archive()
    assert first.added_rows == 10
    assert cold.running.states()[day] == "reopened"
    (second,) = cold.archive()
    assert (second.added_rows, second.entry.row_count) == (10, 20)
    assert cold.running.states()[day] == "archived"
    cold.check(ids)


def test_events_that_come_between_export_and_retire(cold: Cold) -> None:
    early, late = cold.day(1), cold.day(2)
    ids = cold.send_hot(early) + cold.send(late)
    cold.export()
    ids += cold.send(early, 3) + cold.send(late, 4)
    retire_days(cold.running.statements, cold.running.store, [early, late])
    assert cold.running.states() == {early: "reopened", late: "reopened"}
    assert cold.running.count("activity_logs_late") == 7
    cold.check(ids)
    assert [each.added_rows for each in cold.archive()] == [4, 3]
    cold.check(ids)


def test_duplicates_are_found_wherever_the_first_copy_lives(cold: Cold) -> None:
    def send_again() -> None:
        cold.sent = 0
        cold.send(day)
        assert cold.sent == 10

    day = cold.day(1)
    ids = cold.send_hot(day)
    send_again()
    hot.freeze(cold.running.statements, [day])
    send_again()
    cold.export()
    send_again()
    retire_days(cold.running.statements, cold.running.store, [day])
    send_again()
    assert cold.running.states()[day] == "archived"
    assert cold.running.count("activity_logs_late") == 0
    ledger = cold.running.ledger()
    assert (ledger.inserted, ledger.duplicate, ledger.redelivered) == (10, 40, 40)
    cold.check(ids)


def test_duplicates_stored_while_the_archive_was_away(cold: Cold, caplog: pytest.LogCaptureFixture) -> None:
    day = cold.day(1)
    ids = cold.send_hot(day, 10)
    cold.archive()
    manifests = Path(cold.running.store.root) / "manifests"
    manifests.rename(manifests.with_name("away"))
    # One of these has an archived id at another instant: an event of its own.
    cold.sent = 0
    with caplog.at_level(logging.WARNING):
        cold.send(day, 10)
    assert "the archive does not answer" in caplog.text
    ids += [UUID(int=3, version=4)]
    cold.running.statements.execute(
        "insert into activity_logs_late (id, timestamp, source, action) "
        "select id, timestamp + interval '1 microsecond', source, action "
        "from activity_logs_late where id = %s",
        [ids[3]],
    )
    cold.running.statements.execute(
        "update activity_ledger set inserted = inserted + 1, received = received + 1 where day = %s", [day]
    )
    cold.running.statements.execute("update activity_producers set inserted = inserted + 1")
    assert cold.running.count("activity_logs_late") == 11
    manifests.with_name("away").rename(manifests)
    before = cold.running.ledger()
    assert (before.inserted_by_day, before.duplicate_by_day) == (21, 0)
    ((revision,),) = cold.running.statements.execute(
        "select revision from activity_days where day = %s", [day]
    )
    (archived,) = cold.archive()
    assert archived.added_rows == 1
    ledger = cold.running.ledger()
    assert (ledger.inserted_by_day, ledger.duplicate_by_day) == (11, 10)
    assert ledger.differences["inserted"] == 0
    assert ledger.differences["stored by day"] == 0
    assert cold.stored() == dict.fromkeys(ids[:3] + ids[4:10], 1) | {ids[3]: 2}
    ((after,),) = cold.running.statements.execute("select revision from activity_days where day = %s", [day])
    assert after > revision
    cold.chain()


def test_an_empty_generation(cold: Cold) -> None:
    day = cold.day(1)
    cold.running.statements.execute("select activity_create_day(%s)", [day])
    (archived,) = cold.archive()
    assert (archived.entry.files, archived.entry.row_count, archived.added_rows) == ([], 0, 0)
    assert cold.running.states()[day] == "archived"
    assert cold.running.count("activity_days") == 1
    ids = cold.send(day, 3)
    assert cold.archive()[0].entry.generation == 2
    cold.check(ids)


def test_a_reopened_day_without_late_rows_is_not_due(cold: Cold) -> None:
    day = cold.day(1)
    cold.running.statements.execute("insert into activity_days (day, state) values (%s, 'reopened')", [day])
    assert cold.due() == []


def test_only_the_days_that_are_asked_for_in_whatever_order(cold: Cold) -> None:
    ids = [id_ for back in range(5) for id_ in cold.send_hot(cold.day(back + 1))]
    wanted = [cold.day(2), cold.day(4), cold.day(1), cold.day(2)]
    archived = cold.archive(wanted)
    assert [each.day for each in archived] == [cold.day(4), cold.day(2), cold.day(1)]
    states = cold.running.states()
    assert {day for day, state in states.items() if state == "archived"} == set(wanted)
    assert cold.archive([cold.day(2), cold.day(99)]) == []
    cold.check(ids)


@pytest.mark.slow
def test_the_chain_over_many_days_and_generations(cold: Cold) -> None:
    shuffled = random.Random(5)
    ids: list[UUID] = []
    for _ in range(4):
        for back in shuffled.sample(range(1, 8), 4):
            ids += cold.send(cold.day(back), shuffled.randint(1, 4))
        days = cold.due()
        shuffled.shuffle(days)
        cold.archive(days[: shuffled.randint(1, len(days))])
    cold.archive()
    chain = cold.chain()
    assert len({manifest.name for manifest in chain}) == len(chain) > 8
    assert sum(entry.added().rows for manifest in chain for entry in manifest.days) == len(ids)
    cold.check(ids)


def test_a_day_exported_by_a_run_that_ended_there_is_retired_by_the_next(cold: Cold) -> None:
    ids = cold.send_hot(cold.day(1))
    cold.export()
    assert cold.archive() == []
    assert cold.running.states()[cold.day(1)] == "archived"
    cold.check(ids)


def test_sealing_a_day_while_events_come_in(cold: Cold) -> None:
    day = cold.day(-1)
    ids = cold.send(day)
    with connect(cold.running.settings.postgres_dsn) as batch, batch.transaction():
        batch.execute(
            "insert into activity_logs_current (id, timestamp, source, action) values (%s, %s, 's', 'a')",
            [UUID(int=10**9, version=4), day],
        )
        sealing = threading.Thread(target=hot.seal, args=(cold.running.statements, [day]))
        sealing.start()
        with connect(cold.running.settings.postgres_dsn) as watcher:
            waiting = "select count(*) from pg_locks where not granted and relation is not null"
            while watcher.execute(waiting).fetchone() == (0,):
                assert sealing.is_alive()
        # The batch goes on to the row of its day, as the writer does.
        batch.execute("update activity_days set revision = revision + 1 where day = %s", [day])
    sealing.join()
    assert cold.running.states()[day] == "sealed"
    indexes = cold.running.statements.execute(
        "select count(*) from pg_index where indrelid = %s::regclass", [f"activity_logs_current_{day:%Y%m%d}"]
    ).fetchone()
    assert indexes == (7,)
    ids += cold.send(day)
    assert len(cold.stored()) == len(ids) + 1


def test_files_are_private_and_whole(cold: Cold) -> None:
    cold.send_hot(cold.day(1))
    cold.archive()
    root = Path(cold.running.store.root)
    paths = list(root.rglob("*"))
    assert {path.suffix for path in paths if path.is_file()} == {".parquet", ".json"}
    assert not [path for path in paths if path.name.startswith(".")]
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths if path.is_file()} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in [root, *paths] if path.is_dir()} == {0o700}


def test_a_write_that_fails_leaves_no_file(tmp_path: Path) -> None:
    store = ArchiveStore(str(tmp_path / "archive"))
    with pytest.raises(RuntimeError), store.writing("a/b") as stream:
        stream.write(b"half")
        raise RuntimeError
    assert list((tmp_path / "archive" / "a").iterdir()) == []
    assert not store.exists("a/b")
    assert store.list("a") == store.list("nowhere") == []
    with pytest.raises(ArchiveError, match="cannot read a/b"):
        store.read("a/b")
    with pytest.raises(ArchiveError, match="cannot read a/b"):
        store.digest("a/b")
