"""Every good event is stored once, every other one is a dead letter with its bytes, and the ledger closes."""

from __future__ import annotations

import random
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import zstandard

from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.errors import StoreError
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.events.model import DeadLetterReason
from activity_pipeline.hot.batch import Batch, Stored
from activity_pipeline.hot.ledger import read_producers
from activity_pipeline.ingest import DrainConfig, drain
from activity_pipeline.queue.append import append_encoded
from activity_pipeline.queue.connection import LEGACY_LIST, Shard, stream_key
from activity_pipeline.queue.read import backlog
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.lines import BROKEN_ENTRIES, BROKEN_LINES, RULES, event, line, lines

SHARD = Shard(0)
NOON = datetime.combine(today(), datetime.min.time(), UTC)
STRICT = {"allowed_statuses": ",".join(RULES.allowed_statuses)}


def dead_letters(running: Running) -> list[tuple[Any, ...]]:
    return running.statements.execute(
        "select reason, line, event_count, producer_id, line_number from activity_dead_letters order by id"
    ).fetchall()


def test_a_batch_is_stored_as_it_was_sent(running: Running) -> None:
    sent = [event(n, NOON + timedelta(microseconds=n)) for n in range(500)]
    running.send(*lines(0, 500, NOON))
    report = running.drain()
    assert (report.received, report.batches, report.dead_lettered) == (500, 1, 0)
    assert report.inserted == {NOON.date(): 500}
    assert report.touched_days == [NOON.date()]
    stored = running.statements.execute(
        "select id::text, timestamp, source, action, entity_type, entity_id, user_id::text, status, metadata "
        "from activity_logs_current order by timestamp"
    ).fetchall()
    expected = [
        tuple({**one, "timestamp": datetime.fromisoformat(one["timestamp"])}.values()) for one in sent
    ]
    assert stored == expected
    assert running.ledger().residual == 0
    assert backlog(running.queue, 1) == 0


def test_broken_lines_of_every_kind_among_good_ones(running: Running) -> None:
    shuffled = random.Random(7)
    broken = [(reason, bytes_) for reason, cases in BROKEN_LINES.items() for bytes_ in cases]
    sent = [(None, good) for good in lines(0, 100 * len(broken), NOON)] + list(broken)
    shuffled.shuffle(sent)
    sequence = 0
    for start in range(0, len(sent), 500):
        part = [bytes_ for _, bytes_ in sent[start : start + 500]]
        running.send(*part, sequence=sequence)
        sequence += len(part)
    report = running.drain(batch_rows=2000, **STRICT)
    assert report.batches >= 4
    assert (report.received, report.dead_lettered) == (len(sent), len(broken))
    assert running.count("activity_logs_current") == 100 * len(broken)
    found = Counter((reason, kept) for reason, kept, *_ in dead_letters(running))
    assert found == Counter((reason.value, bytes_) for reason, bytes_ in broken)
    ledger = running.ledger()
    assert ledger.residual == 0
    assert ledger.dead_lettered == len(broken)


def test_a_dead_letter_says_where_it_came_from(running: Running) -> None:
    running.send(*lines(0, 3, NOON), b"{", b'{"metadata":{"a":NaN},"source":"s","action":"a"}')
    running.drain()
    assert sorted(dead_letters(running)) == [
        ("metadata_refused", b'{"metadata":{"a":NaN},"source":"s","action":"a"}', 1, "test", 4),
        ("not_json", b"{", 1, "test", 3),
    ]


def test_entries_that_cannot_be_opened(running: Running) -> None:
    cases = [(reason, fields) for reason, entries in BROKEN_ENTRIES.items() for fields in entries]
    append_encoded(running.queue, SHARD, [fields for _, fields in cases])
    running.send(*lines(0, 5, NOON))
    report = running.drain()
    assert (report.received, report.dead_lettered) == (5 + len(cases), len(cases))
    assert [(reason, bytes(kept)) for reason, kept, *_ in dead_letters(running)] == [
        (reason.value, fields.get(b"e", b"")) for reason, fields in cases
    ]
    assert running.ledger().residual == 0
    assert running.count("activity_logs_current") == 5


@pytest.mark.parametrize("body", [b"garbage", zstandard.compress(bytes(65 * 1024 * 1024))])
def test_a_lost_frame_counts_for_all_its_events_and_drops(running: Running, body: bytes) -> None:
    running.send(*lines(0, 10, NOON))
    append_encoded(
        running.queue,
        SHARD,
        [{b"e": body, b"z": b"zstd", b"p": b"test", b"s": b"15", b"n": b"7", b"d": b'{"full":5}'}],
    )
    running.send(*lines(10, 3, NOON), sequence=22)
    running.drain()
    ((_, _, event_count, producer, line_number),) = dead_letters(running)
    assert (event_count, producer, line_number) == (7, "test", -1)
    ledger = running.ledger()
    assert (ledger.issued, ledger.received, ledger.dropped, ledger.dead_lettered) == (25, 20, 5, 7)
    assert ledger.residual == 0


def test_entries_of_other_languages(running: Running) -> None:
    body = b'\n{"source":"php","action":"login"}\r\n \t\r\n\n{"source":"php","action":"logout"}'
    running.queue.xadd(stream_key(SHARD), {"e": body})
    running.queue.xadd(stream_key(SHARD), {"e": b" \r\n"})
    running.queue.xadd(stream_key(SHARD), {"e": b'{"source":"go",\r\r"action":"x"}\n\n{"sour\r\rce"}'})
    report = running.drain()
    assert (report.received, report.dead_lettered) == (4, 1)
    assert [kept for _, kept, *_ in dead_letters(running)] == [b'{"sour\r\rce"}']
    (producer,) = read_producers(running.statements)
    assert (producer.producer_id, producer.issued, producer.missing) == ("", 4, 0)
    assert running.ledger().residual == 0


def test_the_legacy_list_is_drained(running: Running) -> None:
    running.queue.lpush(LEGACY_LIST, *lines(0, 100, NOON))
    running.send(*lines(100, 10, NOON))
    report = running.drain()
    assert (report.adopted, report.received) == (100, 110)
    assert running.ledger().residual == 0
    assert backlog(running.queue, 1) == 0


def test_an_empty_queue_ends_the_drain_at_once(running: Running) -> None:
    report = running.drain()
    assert (report.batches, report.received, report.seconds, report.touched_days) == (0, 0, 0.0, [])


def test_entries_below_the_offset_are_trimmed_and_not_read(running: Running) -> None:
    running.send(*lines(0, 10, NOON))
    running.drain()
    ((offset,),) = running.statements.execute("select last_entry_id from queue_offsets")
    milliseconds = int(offset.split("-")[0])
    # A crash between commit and trim leaves such entries; only a new stream lets one plant them.
    running.queue.delete(stream_key(SHARD))
    running.queue.xadd(stream_key(SHARD), {"e": line(99, NOON)}, id=f"{milliseconds - 1}-0")
    running.queue.execute_command("XSETID", stream_key(SHARD), offset)  # type: ignore[no-untyped-call]
    assert running.drain().batches == 0
    assert backlog(running.queue, 1) == 0
    assert running.count("activity_logs_current") == 10


def test_days_are_made_as_events_ask_for_them(running: Running) -> None:
    last_instant = NOON - timedelta(microseconds=1)
    running.send(line(1, NOON), line(2, last_instant), line(3, NOON - 3 * ONE_DAY))
    running.drain()
    assert running.states() == {
        NOON.date(): "open",
        last_instant.date(): "open",
        (NOON - 3 * ONE_DAY).date(): "open",
    }
    partitions = running.statements.execute(
        "select tableoid::regclass::text, timestamp from activity_logs_current order by timestamp"
    ).fetchall()
    assert [name.removeprefix("activity_logs_current_") for name, _ in partitions] == [
        f"{at:%Y%m%d}" for _, at in partitions
    ]


def test_an_event_goes_where_its_day_lives(running: Running) -> None:
    edge = NOON - 29 * ONE_DAY
    running.send(line(1, edge), line(2, edge - timedelta(microseconds=1)), line(3, NOON))
    running.drain()
    assert (running.count("activity_logs_current"), running.count("activity_logs_late")) == (2, 1)
    assert running.states()[edge.date() - ONE_DAY] == "reopened"
    running.statements.execute("update activity_days set state = 'frozen' where day = %s", [edge.date()])
    running.send(line(1, edge), line(4, edge), line(2, edge - timedelta(microseconds=1)), sequence=3)
    report = running.drain()
    assert sum(report.duplicate.values()) == 2
    assert (running.count("activity_logs_current"), running.count("activity_logs_late")) == (2, 2)
    assert running.ledger().residual == 0


def test_an_old_day_that_is_still_open_stays_open(running: Running) -> None:
    running.send(line(1, NOON - 9 * ONE_DAY))
    running.drain()
    running.send(line(2, NOON - 9 * ONE_DAY), sequence=1)
    running.drain(hot_days=5)
    assert (running.count("activity_logs_current"), running.count("activity_logs_late")) == (2, 0)


def test_an_entry_id_beyond_the_calendar_does_not_stop_the_drain(running: Running) -> None:
    running.queue.xadd(stream_key(SHARD), {"e": line(1, NOON) + b"\n{}"}, id="18446744073709551614-0")
    report = running.drain()
    assert (report.received, report.dead_lettered) == (2, 1)
    assert running.ledger().residual == 0


def test_shards_are_drained_side_by_side(running: Running) -> None:
    for shard in range(3):
        for n in range(4):
            start = shard * 1000 + n * 100
            running.send(*lines(start, 100, NOON), producer=f"p{shard}", sequence=n * 100, shard=shard)
    report = running.drain(queue_shards=3, batch_rows=100)
    assert (report.received, report.batches) == (1200, 12)
    assert running.count("queue_offsets") == 3
    assert running.ledger().residual == 0
    assert backlog(running.queue, 3) == 0


def test_shards_that_hold_the_same_events_in_other_orders(running: Running) -> None:
    events = lines(0, 2000, NOON)
    for start in range(0, 2000, 100):
        running.send(*events[start : start + 100], producer="up", sequence=start, shard=0)
    for start in range(0, 2000, 100):
        backwards = events[::-1][start : start + 100]
        running.send(*backwards, producer="down", sequence=start, shard=1)
    report = running.drain(queue_shards=2, batch_rows=2000)
    assert (sum(report.inserted.values()), sum(report.duplicate.values())) == (2000, 2000)
    assert set(running.ids().values()) == {1}
    assert running.ledger().residual == 0


def test_drains_that_race_store_each_event_once(running: Running) -> None:
    for n in range(40):
        running.send(*lines(n * 50, 50, NOON), sequence=n * 50)
    batches: list[Stored] = []
    errors: list[BaseException] = []

    def run() -> None:
        try:
            config = DrainConfig.of(running.settings)
            racing = DrainConfig(config.redis_url, config.postgres_dsn, batch_rows=100, idle_s=0.3)
            drain(racing, KnownEvents(running.store), on_batch=lambda _, stored: batches.append(stored))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(sum(stored.inserted.values()) for stored in batches) == 2000
    assert not any(stored.duplicate for stored in batches)
    assert set(running.ids().values()) == {1}
    ledger = running.ledger()
    assert (ledger.residual, ledger.redelivered) == (0, 0)


def test_a_budget_ends_the_drain_between_batches(running: Running) -> None:
    for n in range(5):
        running.send(*lines(n * 10, 10, NOON), sequence=n * 10)
    config = DrainConfig.of(running.settings)
    seen: list[Batch] = []
    short = DrainConfig(config.redis_url, config.postgres_dsn, batch_rows=10, budget_s=0.01)
    while backlog(running.queue, 1):
        drain(short, KnownEvents(running.store), on_batch=lambda batch, _: seen.append(batch))
    assert [batch.received for batch in seen] == [10] * 5
    assert running.ledger().residual == 0


def test_an_unreachable_postgres_is_one_readable_error(running: Running) -> None:
    running.send(*lines(0, 1, NOON))
    with pytest.raises(StoreError, match="Postgres does not answer"):
        running.drain(postgres_dsn="postgresql://activity@/nowhere?host=/nonexistent")
    assert backlog(running.queue, 1) == 1


def test_a_transaction_that_fails_changes_nothing(running: Running) -> None:
    running.send(*lines(0, 10, NOON), b"{")
    running.statements.execute("alter table activity_producers add check (issued < 5)")
    with pytest.raises(StoreError, match="violates check constraint"):
        running.drain()
    for table in ("activity_logs", "activity_dead_letters", "activity_producers", "activity_ledger"):
        assert running.count(table) == 0
    assert backlog(running.queue, 1) == 1
    running.statements.execute(
        "alter table activity_producers drop constraint activity_producers_issued_check"
    )
    assert running.drain().received == 11
    assert running.ledger().residual == 0


def test_the_reasons_are_those_of_the_contract(running: Running) -> None:
    values = {reason.value for reason in DeadLetterReason}
    assert len(values) == len(BROKEN_LINES) + len(BROKEN_ENTRIES)
    assert values == {reason.value for reason in (*BROKEN_LINES, *BROKEN_ENTRIES)}
