"""Archived days come back to Postgres as they were, for a while, each event once; the unsound do not."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg
import pytest

from activity_pipeline.archive import archive_days, expire_days, restore_days, retire_days
from activity_pipeline.archive.chain.manifest import DataFile, describe_day, read_manifest
from activity_pipeline.archive.days import restore as restoring
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.archive.days.restore import give_back_days
from activity_pipeline.archive.files.describe import check_bytes
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import ActivityError, ArchiveError, GateError, ManifestError, StoreBusyError
from activity_pipeline.events.days import ONE_DAY, hot_since, today
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot import erasures, restored
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.days import due_days, list_days
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline.producer import ActivityLogger
from activity_pipeline.producer.importing import import_file
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Warm
from activity_pipeline_tests.integration.archive.erasing import by_place, erased
from activity_pipeline_tests.lines import event

ROWS = (
    "select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata::text "
    "from activity_logs order by timestamp, id"
)


@pytest.fixture
def warm(running: Running) -> Warm:
    return Warm(running)


@pytest.fixture
def reader(running: Running) -> Iterator[Statements]:
    """Somebody else on the same database."""
    with connect(running.settings.postgres_dsn) as connection:
        yield connection


def test_a_day_comes_back_as_it_was(warm: Warm) -> None:
    """To the byte, with the events at both of its ends and none of its neighbours'."""
    day = warm.day(2)
    start = datetime.combine(day, datetime.min.time(), UTC)
    last = start + ONE_DAY - timedelta(microseconds=1)
    warm.running.send(
        *(
            json.dumps(one).encode()
            for one in (
                event(0, start - timedelta(microseconds=1)),
                event(1, start, entity_type=None, entity_id=None, user_id=None),
                event(2, start, entity_type="", entity_id="", metadata=None),
                event(3, last, source="😀" * 64, action="\x7f\n\t'\"\\", entity_id="ä" * 512, metadata={}),
                event(4, last, metadata={"z": "\x1b[0m", "deep": [[{"": [None, True, "“", {"ß": None}]}]]}),
                event(5, last + timedelta(microseconds=1)),
            )
        ),
        # Numbers as a producer writes them, a key that comes twice, and an order that jsonb does not keep.
        msgspec.json.encode(event(6, start, metadata=None)).replace(
            b'"metadata":null',
            b'"metadata":{"n":' + b"9" * 40 + b',"f":1.10,"e":1e25,"z":-0.0,"b":1,"aa":[2],"b":3}',
        ),
    )
    warm.running.drain()
    were = warm.running.statements.execute(ROWS).fetchall()
    warm.archive()
    assert warm.running.ids() == {}
    (back,) = warm.restore(day)
    assert (back.rows, back.extended) == (5, False)
    rows = warm.running.statements.execute(ROWS).fetchall()
    assert rows == [row for row in were if start <= row[1] <= last]
    assert any('"n": ' + "9" * 40 in (row[8] or "") and '"f": 1.10' in row[8] for row in rows)
    warm.check_restored([row[0] for row in rows])


def test_only_days_whose_rows_have_left_postgres(warm: Warm) -> None:
    archived, exported, hot_day, never = warm.day(3), warm.day(2), warm.day(-1), warm.day(99)
    ids = warm.send_hot(archived)
    warm.archive()
    ids += warm.send_hot(exported) + warm.send(hot_day)
    warm.export()
    assert [back.day for back in warm.restore(never, hot_day, exported, archived)] == [archived]
    warm.check_restored(ids)


def test_an_exported_generation_joins_its_restored_day_when_it_is_retired(warm: Warm) -> None:
    day = warm.day(1)
    ids = warm.send_hot(day)
    warm.archive()
    ids += warm.send(day, 3)
    warm.export()
    assert warm.restore(day)[0].rows == 10
    warm.check_restored(ids)
    ids += warm.send(day, 2)  # for the generation after
    assert retire_days(warm.running.statements, warm.running.store, [day]) == [day]
    assert warm.running.count("activity_logs_late") == 2
    warm.check_restored(ids)
    warm.archive()
    assert warm.running.count("activity_logs_late") == 0
    assert warm.newest(day).generation == 3
    warm.check_restored(ids)


def test_an_empty_day_takes_its_next_generation(warm: Warm) -> None:
    day = warm.day(1)
    warm.running.statements.execute("select activity_create_day(%s)", [day])
    warm.archive()
    assert warm.restore(day)[0].rows == 0
    ids = warm.send(day, 3)
    warm.archive()
    warm.check_restored(ids)


def test_known_events_that_come_again_are_not_shown_twice(warm: Warm, tmp_path: Path) -> None:
    """Whether they were stored while the archive was away before the day is restored, or after."""
    day = warm.day(1)
    ids = warm.send_hot(day)
    warm.archive()
    manifests = Path(warm.running.store.root) / "manifests"

    def send_again(*, more: int) -> list[UUID]:
        sent, warm.sent = warm.sent, 0
        manifests.rename(tmp_path / "away")
        warm.send(day)
        warm.sent = sent
        fresh = warm.send(day, more)
        (tmp_path / "away").rename(manifests)
        return fresh

    ids += send_again(more=2)
    assert warm.running.count("activity_logs_late") == 12
    warm.restore(day)
    assert warm.running.count("activity_logs_late") == 2
    warm.check_restored(ids)
    ids += send_again(more=1)
    assert warm.running.count("activity_logs_late") == 3
    warm.check_restored(ids)
    warm.archive()
    assert warm.running.ledger().duplicate_by_day == 20
    warm.check_restored(ids)


@pytest.mark.slow
def test_days_that_share_a_file_and_stay_restored_through_compactions(warm: Warm) -> None:
    days = [warm.day(back) for back in (4, 3, 2)]
    assert len({day.year for day in days}) == 1
    ids = {day: warm.send_hot(day, 5) for day in days}
    warm.archive()
    compacted = list(compact(warm.running.statements, warm.running.store, min_files=2))
    assert [pack.days for pack in compacted] == [tuple(days)]
    assert [back.rows for back in warm.restore(days[1])] == [5]
    warm.check_restored(ids[days[1]])
    ids[days[1]] += warm.send(days[1], 2)
    ids[days[2]] += warm.send(days[2], 2)
    warm.archive()
    assert len(list(compact(warm.running.statements, warm.running.store, min_files=2))) == 1
    warm.check_restored(ids[days[1]])
    ids[days[1]] += warm.send(days[1], 1)
    warm.archive()
    assert [(back.rows, back.extended) for back in warm.restore(*days)] == [
        (5, False), (8, True), (7, False),
    ]  # fmt: skip
    warm.check_restored([id_ for day in days for id_ in ids[day]])


def test_metrics_do_not_count_copies(warm: Warm) -> None:
    day, query = warm.day(1), "select * from activity_metrics_daily order by 1, 2, 3, 4"
    warm.send_hot(day)
    warm.archive()
    running = warm.running
    refresh_metrics(running.statements, running.bulk, running.store, [day])
    before = running.statements.execute(query).fetchall()
    warm.restore(day)
    refresh_metrics(running.statements, running.bulk, running.store, [day])
    assert running.statements.execute(query).fetchall() == before


def _flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _forge_content(path: Path) -> None:
    """Leave the file, and let its manifest and Postgres say alike that it holds something else."""
    root = path.parents[2]
    (manifest_path,) = root.glob("manifests/*")
    manifest, _ = read_manifest(ArchiveStore(str(root)), f"manifests/{manifest_path.name}")
    (entry,) = manifest.days
    files = [msgspec.structs.replace(entry.files[0], content_hash="0" * 30)]
    forged = describe_day(entry.day, entry.generation, files)
    manifest_path.write_bytes(msgspec.structs.replace(manifest, days=[forged]).encode())


def _another_manifest(path: Path) -> None:
    """Nothing is wrong with it, but that it was never published."""
    (manifest,) = path.parents[2].glob("manifests/*")
    manifest.write_bytes(manifest.read_bytes() + b"\n")


@pytest.mark.parametrize(
    ("tamper", "error", "said"),
    [
        (_flip_a_byte, ArchiveError, "is not the file that its manifest lists"),
        (Path.unlink, ArchiveError, "cannot read"),
        (_forge_content, GateError, "nothing was restored"),
        (_another_manifest, ManifestError, "is not the manifest that was published"),
    ],
)
def test_what_is_not_as_it_was_published_is_not_restored(
    warm: Warm, tamper: Callable[[Path], None], error: type[ActivityError], said: str
) -> None:
    day = warm.day(1)
    warm.send_hot(day)
    warm.archive()
    root = Path(warm.running.store.root)
    (path,) = root.glob("events/*/*.parquet")
    (manifest,) = root.glob("manifests/*")
    whole = {file: file.read_bytes() for file in (path, manifest)}
    tamper(path)
    if tamper is _forge_content:
        digest = hashlib.sha256(manifest.read_bytes()).hexdigest()
        warm.running.statements.execute("update activity_manifests set sha256 = %s", [digest])
    with pytest.raises(error, match=said):
        warm.restore(day)
    assert (warm.until(day), warm.tables(), warm.running.ids()) == (None, [], {})
    for file, content in whole.items():
        file.write_bytes(content)
    digest = hashlib.sha256(whole[manifest]).hexdigest()
    warm.running.statements.execute("update activity_manifests set sha256 = %s", [digest])
    assert warm.restore(day)[0].rows == 10


def test_a_file_that_cannot_be_read_to_its_end(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its bytes were right a moment ago: what goes wrong inside the driver is said in our words."""
    day = warm.day(1)
    ids = warm.send_hot(day)
    warm.archive()
    (path,) = Path(warm.running.store.root).glob("events/*/*.parquet")
    whole = path.read_bytes()

    def then_damage(store: ArchiveStore, file: DataFile) -> None:
        check_bytes(store, file)
        path.write_bytes(whole[:20] + bytes(200) + whole[220:])

    with monkeypatch.context() as patched:
        patched.setattr(restoring, "check_bytes", then_damage)
        with pytest.raises(ArchiveError, match=f"^the archive of {day} cannot be read: "):
            warm.restore(day)
    path.write_bytes(whole)
    warm.restore(day)
    warm.check_restored(ids)


def test_a_day_whose_archive_changes_while_it_is_loaded_is_loaded_anew(
    warm: Warm, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = warm.day(1)
    ids = warm.send_hot(day)
    warm.archive()
    ids += warm.send(day, 5)
    looked_at = []

    def late(store: ArchiveStore, file: DataFile) -> None:
        check_bytes(store, file)
        looked_at.append(file.path)
        if len(looked_at) == 1:
            warm.archive()

    monkeypatch.setattr(restoring, "check_bytes", late)
    assert warm.restore(day)[0].rows == 15
    assert len(looked_at) == 2, "the bytes of a file are looked at once"
    warm.check_restored(ids)


def test_a_day_that_another_one_restores_meanwhile(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    day = warm.day(1)
    ids = warm.send_hot(day)
    warm.archive()
    raced: list[DataFile] = []

    def early(store: ArchiveStore, file: DataFile) -> None:
        if not raced:
            raced.append(file)
            warm.restore(day)

    monkeypatch.setattr(restoring, "check_bytes", early)
    assert warm.restore(day)[0].extended
    warm.check_restored(ids)


def test_a_day_that_never_comes_to_rest(warm: Warm, monkeypatch: pytest.MonkeyPatch) -> None:
    day = warm.day(1)
    ids = warm.send_hot(day)
    warm.archive()
    monkeypatch.setattr(restored.Restoring, "attach", lambda *_: False)
    with pytest.raises(ArchiveError, match="became another one each time"):
        warm.restore(day)
    assert warm.tables() == []
    monkeypatch.undo()
    warm.restore(day)
    warm.check_restored(ids)


def test_time_is_extended_and_ends(warm: Warm) -> None:
    first, second = warm.day(2), warm.day(1)
    ids = warm.send_hot(first) + warm.send_hot(second)
    warm.archive()
    began = datetime.now(UTC)
    days = warm.restore(first, second, ttl=timedelta(hours=1))
    for back in days:
        assert began + timedelta(hours=1) <= back.until <= datetime.now(UTC) + timedelta(hours=1)
        assert warm.until(back.day) == back.until
    (longer,) = warm.restore(first, ttl=timedelta(hours=2))
    assert (longer.extended, longer.rows) == (True, 10)
    assert warm.until(first) == longer.until > days[0].until
    assert warm.restore(first, ttl=timedelta(minutes=1))[0].until == longer.until, "never shorter"
    statements = warm.running.statements
    assert expire_days(statements, days[1].until - timedelta(microseconds=1)) == []
    warm.check_restored(ids)
    assert expire_days(statements, days[1].until) == [second]
    warm.check_restored(ids[:10])
    assert expire_days(statements, longer.until) == [first]
    assert expire_days(statements, longer.until) == []
    warm.check_restored([])
    assert [back.extended for back in warm.restore(first)] == [False]
    warm.check_restored(ids[:10])


def test_a_day_that_is_extended_while_it_is_about_to_expire_stays(warm: Warm) -> None:
    day = warm.day(1)
    ids = warm.send_hot(day)
    warm.archive()
    (back,) = warm.restore(day)
    over = restored.days_over(warm.running.statements, back.until)
    warm.restore(day, ttl=timedelta(hours=2))
    assert restored.drop(warm.running.statements, over, now=back.until) == []
    warm.check_restored(ids)


def test_days_are_given_back_early(warm: Warm) -> None:
    days = [warm.day(back) for back in (3, 2, 1)]
    ids = [warm.send_hot(day) for day in days]
    warm.archive()
    warm.restore(*days[:2])
    assert give_back_days(warm.running.statements, days[1:]) == [days[1]]
    warm.check_restored(ids[0])


def test_a_query_keeps_a_restored_day_but_not_forever(
    warm: Warm, reader: Statements, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restored, "PAUSE_S", 0.01)
    day, other = warm.day(1), warm.day(2)
    ids = warm.send_hot(day) + warm.send_hot(other)
    warm.archive()
    (back,) = warm.restore(day)
    with reader.transaction():
        assert reader.execute("select count(*) from activity_logs").fetchone() == (10,)
        with pytest.raises(StoreBusyError, match="1 restored days are being read and stay for now"):
            restored.drop(warm.running.statements, [day], lock_timeout_s=0.05, tries=2)
        # Neither do restores wait for queries, nor queries for restores.
        warm.restore(other)
        assert reader.execute("select count(*) from activity_logs").fetchone() == (20,)
    warm.check_restored(ids)
    assert expire_days(warm.running.statements, back.until) == [day]


def test_an_erasure_takes_restored_rows_too(warm: Warm) -> None:
    day, user = warm.day(1), UUID(int=7, version=4)
    others = warm.send_hot(day, 3, user_id=None)
    warm.send(day, 4, user_id=str(user))
    warm.archive()
    assert warm.restore(day)[0].rows == 7
    assert by_place(erased(warm.running, Subject.user(user))) == {"restored": 4, "archive": 4}
    warm.check_restored(others)
    give_back_days(warm.running.statements, [day])
    assert warm.restore(day)[0].rows == 3
    warm.check_restored(others)


def test_nothing_is_restored_while_an_erasure_is_under_way(warm: Warm, reader: Statements) -> None:
    """Its files may hold what the erasure takes; one that was interrupted is under way, too."""
    first, second = warm.day(2), warm.day(1)
    ids = warm.send_hot(first) + warm.send_hot(second)
    warm.archive()

    def begin() -> erasures.Erasure:
        return erasures.begin(
            reader,
            Subject.user(UUID(int=7, version=4)),
            reason="request 17",
            by="tester",
            receipts="receipts",
        )

    warm.restore(first)
    with restored.restoring(warm.running.bulk, second):
        reader.execute("set lock_timeout = '20ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            begin()
    begun = begin()
    with pytest.raises(ArchiveError, match="an erasure is under way, or was interrupted"):
        warm.restore(first, second)
    assert warm.tables() == [f"activity_logs_archive_{first:%Y%m%d}"]
    erasures.finish(reader, begun.id)
    assert [back.extended for back in warm.restore(first, second)] == [True, False]
    warm.check_restored(ids)


def test_queries_of_a_restored_day_use_its_indexes(warm: Warm) -> None:
    day = warm.day(1)
    warm.send_hot(day, 3000)
    warm.archive()
    warm.restore(day)
    table = f"activity_logs_archive_{day:%Y%m%d}"
    indexes = warm.running.statements.execute(
        "select count(*) from pg_index where indrelid = %s::regclass and indisvalid", [table]
    ).fetchone()
    assert indexes == (7,)
    for condition in (
        "user_id = '00000000-0000-4000-8000-000000000003' and timestamp < %(day)s::date + interval '1 hour'",
        "entity_type = 'order' and entity_id = '3' and timestamp < %(day)s::date + interval '1 hour'",
        """metadata @> '{"number": 7}'""",
        "timestamp = %(day)s::date and id = '00000000-0000-4000-8000-000000000000'",
    ):
        plan = warm.running.statements.execute(
            f"explain (costs off) select * from activity_logs where {condition}",
            {"day": day},
        ).fetchall()
        lines = [line for (line,) in plan if table in line]
        assert lines, plan
        assert not [line for line in lines if "Seq Scan" in line], plan


@pytest.mark.slow
def test_real_days_come_back_equal(running: Running, real_data: Path) -> None:
    """All days of bpic2012_loan: archived, packed, restored and compared row by row with what they were."""
    with ActivityLogger(
        running.settings.redis_url, source="test", spool_dir=running.settings.spool_path
    ) as logger:
        import_file(real_data / "bpic2012_loan.ndjson.gz", logger)
        assert logger.flush(60.0)
    running.drain()
    statements, store = running.statements, running.store
    statements.execute("create table were as select * from activity_logs")
    archive_days(
        statements,
        running.bulk,
        store,
        due_days(statements, hot_since=hot_since(today(), running.settings.hot_days)),
    )
    assert len(list(compact(statements, store))) > 0
    days = [day.day for day in list_days(statements)]
    assert running.count("activity_logs") == 0
    back = list(restore_days(statements, running.bulk, store, days, timedelta(days=1)))
    assert [each.day for each in back] == days
    assert sum(each.rows for each in back) == running.count("were") == 262_200
    columns = "id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata::text"
    for first, second in (("were", "activity_logs"), ("activity_logs", "were")):
        missing = statements.execute(
            f"select count(*) from (select {columns} from {first} except all "
            f"select {columns} from {second}) as missing"
        ).fetchone()
        assert missing == (0,)
    assert running.ledger().residual == 0
    assert expire_days(statements, max(each.until for each in back)) == days
    assert running.count("activity_logs") == 0
