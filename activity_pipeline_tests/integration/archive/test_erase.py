"""Erasure: the rows are gone from everywhere, the chain still proves itself, and a receipt stays."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import msgspec
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from activity_pipeline.archive import export_days
from activity_pipeline.archive.chain.publish import open_chain
from activity_pipeline.archive.chain.verify import verify
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.archive.days.erase import Request, erase
from activity_pipeline.errors import ArchiveError
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.results import read_table, stale_days
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline.producer.spool import SpoolFolder, queue_name
from activity_pipeline.queue.append import append_encoded
from activity_pipeline.queue.connection import Shard
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.integration.archive.erasing import (
    SIGNER,
    by_place,
    erased,
    look,
    receipts,
    sound,
    traces,
    would_erase,
)
from activity_pipeline_tests.lines import line

USER = UUID("0198c2f0-8a5e-7cc0-b0d1-3f2a9e5b7c11")
HE = Subject.user(USER)
NOW = datetime.now(UTC)


def everywhere(cold: Cold) -> list[UUID]:
    """Put 3 of his events, and others', into each place; return the ids of the others'."""
    full, packed, late, exported, frozen = (cold.day(back) for back in (1, 20, 40, 3, 5))
    others = []
    # A file of his alone, a pack of three days of which one is his alone and one another's.
    cold.send_hot(full, 3, user_id=str(USER))
    cold.send_hot(packed, 3, user_id=str(USER))
    others += cold.send_hot(packed + ONE_DAY, 5)
    cold.send_hot(packed + 2 * ONE_DAY, 3, user_id=str(USER))
    others += cold.send(packed + 2 * ONE_DAY, 5)
    cold.archive()
    list(compact(cold.running.statements, cold.running.store, min_files=2))
    # A second generation, and late rows that wait for the third.
    cold.send(packed + 2 * ONE_DAY, 3, user_id=str(USER))
    cold.archive()
    cold.send(packed + 2 * ONE_DAY, 3, user_id=str(USER))
    cold.send(late, 3, user_id=str(USER))
    others += cold.send(late, 2)
    others += cold.send(today(), 4)
    cold.send(today(), 3, user_id=str(USER))
    # One exported and not retired, one frozen and no more.
    for day in (exported, frozen):
        cold.send_hot(day, 3, user_id=str(USER))
        others += cold.send(day, 2)
    running = cold.running
    list(export_days(running.statements, running.bulk, running.store, [exported]))
    hot.freeze(running.statements, [frozen])
    return others


LIVES = {"hot": 6, "late": 6, "archive": 15}


def contents(running: Running) -> tuple[dict[Path, bytes], list[object]]:
    """Return every byte of the archive, and of the tables that an erasure may touch."""
    files = {path: path.read_bytes() for path in Path(running.store.root).rglob("*") if path.is_file()}
    tables: list[object] = []
    for table in (
        "activity_logs", "activity_days", "activity_ledger", "activity_manifests", "activity_dead_letters",
        "activity_erasures", "activity_erased_rows", "activity_legal_holds",
    ):  # fmt: skip
        query = psycopg.sql.SQL("select t::text from {} t order by 1").format(psycopg.sql.Identifier(table))
        tables.append(running.statements.execute(query).fetchall())
    return files, tables


def test_a_user_is_erased_everywhere(cold: Cold) -> None:
    others = everywhere(cold)
    running = cold.running
    before = running.ledger()
    revisions = {day.day: day.revision for day in hot.list_days(running.statements)}
    (Path(running.store.root) / "head.json").unlink()
    untouched = contents(running)
    assert by_place(would_erase(running, HE)) == LIVES
    assert contents(running) == untouched
    report = erased(running, HE)
    assert by_place(report) == LIVES
    assert traces(running, USER) == []
    assert running.count("activity_logs") == len(others) - 12
    cold.check(others)
    sound(running)
    after = running.ledger()
    assert (after.erased, after.inserted) == (27, before.inserted)
    touched = {each.day for each in report.found}
    for day in hot.list_days(running.statements):
        assert (day.revision > revisions[day.day]) == (day.day in touched), day
    (receipt,) = receipts(running)
    assert receipt.subject.confirms(HE)
    assert not receipt.subject.confirms(Subject.user(uuid4()))
    assert sum(each.rows for each in receipt.taken) == 27
    assert (receipt.reason, receipt.requested_by, receipt.waiting) == ("request 17", "tester", [])
    assert str(USER) not in running.store.read(report.receipt or "").decode()
    assert {each.path for each in receipt.replaced} == {file.path for file in report.files}
    manifest = cold.chain()[-1]
    assert manifest.receipt
    assert manifest.receipt.name == report.receipt
    assert not any(running.store.exists(file.path) for file in report.files)
    # The rest of the life of these days.
    cold.archive()
    cold.check(others)
    sound(running)
    assert by_place(erased(running, HE)) == {}
    assert len(receipts(running)) == 1


def test_an_entity_is_erased_and_its_namesake_stays(cold: Cold) -> None:
    day = cold.day(2)
    of_it = {"entity_type": "contract", "entity_id": "c-4711"}
    cold.send_hot(day, 3, **of_it)
    others = cold.send(day, 2, entity_type="invoice", entity_id="c-4711")
    others += cold.send(day, 2, entity_type="contract", entity_id="c-4712")
    others += cold.send(day, 2, entity_type=None, entity_id=None, user_id=None)
    cold.send(today(), 3, **of_it)
    cold.archive()
    report = erased(cold.running, Subject.entity("contract", "c-4711"))
    assert by_place(report) == {"hot": 3, "archive": 3}
    cold.check(others)
    sound(cold.running)
    cold.send(day, 1, **of_it)
    assert by_place(erased(cold.running, Subject.entity("contract", "c-4711"))) == {"late": 1}
    assert len(receipts(cold.running)) == 2


def test_dead_letters_are_blanked_and_still_counted(running: Running) -> None:
    at = "2026-03-01T00:00:00Z"
    his = b'{"source":"s","action":"a","userId":"%s","status":"odd","timestamp":"%s"}' % (
        str(USER).encode(), at.encode(),
    )  # fmt: skip
    torn = b'{"source":"s","user_id":"%s"' % str(USER).encode()
    other = b'{"source":"s","action":"a","status":"odd","metadata":{"by":"%s"}}' % str(USER).encode()
    running.send(his, torn, other)
    entry = {b"source": b"s", b"user": str(USER).encode()}
    append_encoded(running.queue, Shard(0), [entry])
    append_encoded(running.queue, Shard(0), [{b"e": his + b"\n" + other, b"n": b"many"}])
    append_encoded(running.queue, Shard(0), [{b"e": b"\x28\xb5\x2f\xfd torn", b"z": b"zstd", b"n": b"7"}])
    running.drain(allowed_statuses="success")
    # One was replayed: its bytes are a copy of what is stored.
    running.statements.execute(
        "update activity_dead_letters set state = 'replayed' where line = %s and line_number = 0", [his]
    )
    running.statements.execute(
        "update activity_producers set dead_lettered = dead_lettered - 1 where producer_id = 'test'"
    )
    kept = running.ledger().dead_letters_kept
    report = erased(running, HE)
    assert by_place(report) == {"dead_letters": 3, "replayed_letters": 1}
    assert [(each.place, each.entries) for each in report.waiting] == [
        ("dead letters that nobody can read", 1)
    ]
    letters = running.statements.execute(
        "select state, length(line), other_fields is null from activity_dead_letters order by id"
    ).fetchall()
    assert sorted(state for state, size, _ in letters if size == 0) == ["erased"] * 3 + ["replayed"]
    assert [row for row in letters if row[1] == 0 and not row[2]] == []
    assert running.ledger().dead_letters_kept == kept
    left = running.statements.execute("select line from activity_dead_letters where line <> ''").fetchall()
    assert other in [row[0] for row in left]
    assert running.ledger().erased == 0


def test_restored_copies_go_and_do_not_count(cold: Cold) -> None:
    day = cold.day(2)
    cold.send_hot(day, 4, user_id=str(USER))
    others = cold.send(day, 2)
    statements = cold.running.statements
    statements.execute(
        "create table restored partition of activity_logs_archive for values from (minvalue) to (maxvalue)"
    )
    statements.execute("insert into activity_logs_archive select * from activity_logs_current")
    cold.archive()
    report = erased(cold.running, HE)
    assert by_place(report) == {"restored": 4, "archive": 4}
    assert cold.running.count("activity_logs_archive") == len(others)
    assert cold.running.ledger().erased == 4
    sound(cold.running)
    (vacuumed,) = statements.execute(
        "select vacuum_count from pg_stat_all_tables where relname = 'restored'"
    ).fetchone() or (0,)
    assert vacuumed > 0


def test_what_waits_is_named(cold: Cold) -> None:
    running = cold.running
    cold.send(today(), 2, user_id=str(USER))
    running.send(line(100, NOW, user_id=str(USER)), sequence=2)
    running.queue.lpush("activity_queue", b"{}")
    running.statements.execute(
        "insert into activity_outbox (line) values (%s), ('{}')", [json.dumps({"user_id": str(USER)})]
    )
    spool = SpoolFolder(running.settings.spool_path, queue_name(running.settings.redis_url), 10_000)
    waiting = spool.create("producer")
    waiting.append({b"e": b"{}"})
    report = erased(running, HE)
    named = {each.place.split(" of ")[0]: each for each in report.waiting}
    assert set(named) == {"queue activity:{0}", "queue activity_queue", "outbox", "spool"}
    assert named["queue activity:{0}"].entries == 1
    assert (named["outbox"].entries, named["outbox"].mentions) == (2, 1)
    assert all(each.size_bytes > 0 for each in report.waiting)
    (receipt,) = receipts(running)
    assert receipt.waiting == report.waiting
    waiting.remove()
    running.drain()
    assert by_place(erased(running, HE))["hot"] == 1


def test_servers_that_are_away_are_named_too(running: Running) -> None:
    away = msgspec.structs.replace(running.settings, redis_url="redis://127.0.0.1:9")
    named = look(replace(running, settings=away), HE)
    assert [(each.place, bool(each.fault)) for each in named] == [("queue", True)]


def test_others_wait_for_an_erasure_and_it_for_them(cold: Cold) -> None:
    cold.send_hot(cold.day(1), 2, user_id=str(USER))
    with (
        connect(cold.running.settings.postgres_dsn) as other,
        open_chain(other, cold.running.store, None),
        pytest.raises(ArchiveError, match="another operation"),
    ):
        erased(cold.running, HE)
    cold.export()
    cold.running.statements.execute("delete from activity_manifests")
    cold.running.statements.execute(
        "update activity_days set state = 'frozen', generation = 0, manifest = null"
    )
    for run in (would_erase, erased):
        with pytest.raises(ArchiveError, match="is half done: run the archive first"):
            run(cold.running, HE)
    cold.archive()
    assert by_place(erased(cold.running, HE)) == {"archive": 2}
    sound(cold.running)


def test_a_drain_goes_on_meanwhile(cold: Cold) -> None:
    """Whatever the order, each event is counted once: as stored, or as erased."""
    running = cold.running
    cold.send_hot(cold.day(1), 50, user_id=str(USER))
    cold.archive()
    stop = threading.Event()

    def drain() -> None:
        while not stop.is_set():
            running.drain()

    drains = threading.Thread(target=drain)
    drains.start()
    try:
        for number in range(6):
            lines = [line(1000 + 20 * number + n, NOW, user_id=str(USER)) for n in range(20)]
            running.send(*lines, producer="other", sequence=20 * number)
            erased(running, HE)
    finally:
        stop.set()
        drains.join()
    running.drain()
    erased(running, HE)
    ledger = running.ledger()
    assert (ledger.residual, ledger.inserted, ledger.erased, ledger.hot) == (0, 170, 170, 0)
    sound(running)


def test_a_file_that_is_not_what_its_manifest_says(cold: Cold) -> None:
    """Nothing is published that was not counted, and what was written for it is gone again."""
    cold.send_hot(cold.day(1), 3, user_id=str(USER))
    cold.send_hot(cold.day(2), 3, user_id=str(USER))
    others = cold.send(cold.day(2), 2)
    cold.archive()
    first, second = sorted(Path(cold.running.store.root).glob("events/*/*.parquet"))
    held = second.read_bytes()
    second.write_bytes(first.read_bytes())
    with pytest.raises(ArchiveError, match="do not hold what its manifest says"):
        erased(cold.running, HE)
    second.write_bytes(held)
    sound(cold.running)
    assert by_place(erased(cold.running, HE)) == {"archive": 6}
    cold.check(others)
    sound(cold.running)


def test_leavings_of_a_compaction_and_of_a_crash_go_too(cold: Cold) -> None:
    for back in (1, 2):
        cold.send_hot(cold.day(back), 2, user_id=str(USER))
    cold.archive()
    list(compact(cold.running.statements, cold.running.store, min_files=2))
    old = sorted(Path(cold.running.store.root).glob("events/date=*/*.parquet"))
    assert len(old) == 2
    torn = old[0].with_name(f".part-2.parquet.{uuid4().hex}")
    torn.write_bytes(USER.bytes)
    assert len(traces(cold.running, USER)) == 4
    erased(cold.running, HE)
    assert traces(cold.running, USER) == []
    sound(cold.running)


def test_a_receipt_is_proved_like_a_manifest(cold: Cold) -> None:
    cold.send_hot(cold.day(1), 2, user_id=str(USER))
    cold.archive()
    linked = erased(cold.running, HE, SIGNER).receipt
    cold.send(today(), 2, user_id=str(USER))
    alone = erased(cold.running, HE, SIGNER).receipt
    sound(cold.running, SIGNER)
    for name in (linked, alone):
        path = Path(cold.running.store.root) / str(name)
        raw = path.read_bytes()
        path.write_bytes(raw.replace(b'"rows": 2', b'"rows": 1'))
        assert str(name) in [
            fault.path for fault in verify(cold.running.store, public=[SIGNER.public]).faults
        ]
        path.write_bytes(raw)


def test_a_reason_must_not_name_him(running: Running) -> None:
    request = Request(HE, f"request of {USER}", "tester")
    with pytest.raises(ArchiveError, match="the receipt must not"):
        erase(running.statements, running.store, request, lambda _: [])


def test_what_was_counted_of_a_user_goes_and_others_stay_counted(cold: Cold) -> None:
    running, days = cold.running, [cold.day(40), cold.day(0)]
    for day in days:
        cold.send(day, 4, user_id=str(USER))
        cold.send(day, 6)
    cold.archive()
    refresh_metrics(running.statements, running.bulk, running.store, days)

    def users() -> set[UUID]:
        rows = read_table(running.bulk, "activity_users_daily", min(days), max(days))
        files = [
            pq.read_table(path) for path in Path(running.store.root).glob("results/activity_users_daily/*")
        ]
        assert pa.concat_tables(files).num_rows == len(rows)
        return set(rows["user_id"].to_pylist())

    before = users()
    assert USER in before
    assert traces(running, USER)
    erased(running, HE)
    assert users() == before - {USER}
    assert traces(running, USER) == []
    assert stale_days(running.statements, "metrics") == sorted(days)
    refresh_metrics(running.statements, running.bulk, running.store, days)
    assert users() == before - {USER}
    sound(running)
