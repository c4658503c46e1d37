"""A dead letter gets in after all, once, under the id it always had; the ledger closes at every step."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import zstandard

from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.events.frame import pack_other_fields
from activity_pipeline.events.model import DeadLetterReason as Reason
from activity_pipeline.events.model import Rules
from activity_pipeline.hot.dead_letters import Selection, count_by_reason, read_dead_letters
from activity_pipeline.hot.ledger import read_arrivals
from activity_pipeline.ingest.replay import ReplayConfig, ReplayReport, replay_mended, replay_stored
from activity_pipeline.queue.append import append_encoded
from activity_pipeline.queue.connection import Shard, stream_key
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.lines import BROKEN_ENTRIES, BROKEN_LINES, RULES, event, line, lines

SHARD = Shard(0)
NOON = datetime.combine(today(), datetime.min.time(), UTC)
ONLY_PAID = {"allowed_statuses": "paid"}


def config(running: Running, rules: Rules | None = None) -> ReplayConfig:
    return ReplayConfig(running.settings.postgres_dsn, rules or Rules(), running.settings.hot_days)


def replay(running: Running, *ids: int, rules: Rules | None = None, **selected: Any) -> ReplayReport:
    report = replay_stored(
        config(running, rules), Selection(ids=ids or None, **selected), KnownEvents(running.store)
    )
    assert running.ledger().residual == 0, running.ledger().differences
    return report


def mend(running: Running, mended: dict[int, list[bytes]]) -> ReplayReport:
    report = replay_mended(config(running), mended.items(), KnownEvents(running.store))
    assert running.ledger().residual == 0, running.ledger().differences
    return report


def states(running: Running) -> Counter[tuple[str, str]]:
    return Counter(
        (letter.reason, letter.state)
        for letter in read_dead_letters(running.statements, Selection(state=None))
    )


def ids_of(running: Running) -> list[int]:
    return sorted(letter.id for letter in read_dead_letters(running.statements, Selection()))


def test_a_rule_that_was_too_strict_is_loosened(running: Running) -> None:
    at = [NOON, NOON - 2 * ONE_DAY, NOON - 60 * ONE_DAY]
    running.send(*(line(n, at[n % 3], status="odd") for n in range(30)), line(30, NOON, status="paid"))
    assert running.drain(**ONLY_PAID).dead_lettered == 30
    before = running.ledger()
    report = replay(running)
    assert (report.replayed, report.refused, report.not_open) == (30, {}, [])
    assert report.inserted == {when.date(): 10 for when in at}
    assert running.ids() == Counter({event_id(n): 1 for n in range(31)})
    after = running.ledger()
    assert (after.received, after.issued) == (before.received, before.issued)
    assert (after.inserted, after.dead_lettered, after.late) == (31, 0, 10)
    assert states(running) == {("not_allowed", "replayed"): 30}
    assert read_arrivals(running.statements, since=today()) == []
    again = replay(running)
    assert (again.replayed, again.touched_days) == (0, [])


def event_id(number: int) -> UUID:
    return UUID(event(number, NOON)["id"])


def test_every_broken_line_is_refused_again_for_the_same_reason(running: Running) -> None:
    broken = [bytes_ for cases in BROKEN_LINES.values() for bytes_ in cases]
    running.send(*broken, *lines(0, 10, NOON))
    entries = [fields for cases in BROKEN_ENTRIES.values() for fields in cases]
    append_encoded(running.queue, SHARD, entries)
    running.drain(allowed_statuses=",".join(RULES.allowed_statuses))
    before = states(running)
    assert sum(before.values()) == len(broken) + len(entries)
    report = replay(running, rules=RULES)
    assert (report.replayed, report.new_letters) == (0, 0)
    assert len(report.refused) == len(broken) + len(entries)
    assert states(running) == before
    assert running.count("activity_logs_current") == 10


def test_a_line_that_breaks_another_rule_now_has_that_reason(running: Running) -> None:
    running.send(line(1, NOON, status="odd"))
    running.drain(**ONLY_PAID)
    (number,) = ids_of(running)
    report = replay(running, rules=Rules(max_metadata_bytes=2))
    assert report.refused == {number: "metadata_too_large"}
    assert states(running) == {("metadata_too_large", "open"): 1}


def test_what_has_no_id_and_no_timestamp_gets_what_the_drain_would_have_given(running: Running) -> None:
    entry = {b"e": b'\n{"source":"s","action":"a"}\n\n{"source":"s","action":"b","status":"odd"}'}
    query = "select id, timestamp, action from activity_logs order by action"
    (place,) = append_encoded(running.queue, SHARD, [entry])
    running.drain(**{"allowed_statuses": "success"})
    assert replay(running).replayed == 1
    replayed = running.statements.execute(query).fetchall()
    tables = (
        "queue_offsets, activity_producers, activity_ledger, activity_dead_letters, activity_logs_current"
    )
    running.statements.execute(f"truncate {tables}")
    running.queue.delete(stream_key(SHARD))
    running.queue.xadd(stream_key(SHARD), entry, id=place)  # type: ignore[arg-type]
    running.drain()
    assert running.statements.execute(query).fetchall() == replayed
    assert len(replayed) == 2


def test_an_event_that_came_again_meanwhile_is_a_duplicate(running: Running) -> None:
    running.send(line(1, NOON, status="odd"))
    running.drain(**ONLY_PAID)
    running.send(line(1, NOON), sequence=1)
    running.drain()
    report = replay(running)
    assert (report.replayed, report.inserted, report.duplicate) == (1, {}, {NOON.date(): 1})
    assert running.statements.execute("select status from activity_logs").fetchall() == [("success",)]


def test_an_event_that_the_archive_holds_is_a_duplicate(running: Running) -> None:
    cold = Cold(running)
    day = cold.day(60)
    moment = datetime.combine(day, datetime.min.time(), UTC)
    running.send(line(1, moment))
    running.drain()
    cold.archive()
    running.send(line(1, moment, status="odd"), line(2, moment, status="odd"), sequence=1)
    running.drain(**ONLY_PAID)
    report = replay(running)
    assert (report.inserted, report.duplicate) == ({day: 1}, {day: 1})
    assert running.states()[day] == "reopened"


def test_selections(running: Running) -> None:
    running.send(b"{", b"[]", line(1, NOON, status="odd"), producer="a")
    running.send(b"{", producer="b")
    running.drain(**ONLY_PAID)
    everything = ids_of(running)
    counts = count_by_reason(running.statements, Selection())
    assert [(row["reason"], row["letters"]) for row in counts] == [
        ("not_json", 2),
        ("not_allowed", 1),
        ("not_an_object", 1),
    ]
    assert set(replay(running, reasons=[Reason.NOT_JSON], producer_id="b").refused) == {everything[3]}
    assert replay(running, days=(today() - 9 * ONE_DAY, today() - ONE_DAY)).refused == {}
    assert replay(running, everything[2]).replayed == 1
    report = replay(running, everything[2], everything[0], 10**9)
    assert (report.replayed, list(report.refused), report.not_open) == (
        0,
        [everything[0]],
        [everything[2], 10**9],
    )


def test_mended_lines_take_the_place_of_what_was_refused(running: Running) -> None:
    running.send(b"{", b'{"source":"s","action":"a","metadata":{"a":NaN}}', line(3, NOON, colour="red"))
    running.drain()
    first, third, second = ids_of(running)  # Postgres has its say last
    mended = {
        first: [line(1, NOON)],
        second: [b'{"source":"s","action":"a","metadata":{"a":Infinity}}'],
        third: [b"[]"],
        10**9: [line(9, NOON)],
    }
    report = mend(running, mended)
    assert (report.replayed, report.not_open) == (1, [10**9])
    assert report.refused == {second: "metadata_refused", third: "not_an_object"}
    kept = {letter.id: letter.line for letter in read_dead_letters(running.statements, Selection())}
    assert kept[third] == line(3, NOON, colour="red"), "the bytes that came, not the failed mend"
    assert states(running)["unknown_field", "open"] == 1
    assert mend(running, {second: [b'{"source":"s","action":"a"}'], third: [line(3, NOON)]}).replayed == 2
    assert running.ledger().dead_lettered == 0


def torn(sequence: int, count: int) -> dict[bytes, bytes]:
    body = b"".join(one + b"\n" for one in lines(sequence, count, NOON))
    fields = {b"p": b"test", b"s": b"%d" % sequence, b"n": b"%d" % count, b"z": b"zstd"}
    return {b"e": zstandard.compress(body)[:-5], **fields}


def test_a_mended_entry_stands_for_all_its_events(running: Running) -> None:
    running.send(*lines(0, 5, NOON))
    append_encoded(running.queue, SHARD, [torn(5, 7), {b"x": b"1"}])
    running.send(*lines(12, 3, NOON), sequence=12)
    running.drain()
    frame, foreign = ids_of(running)
    assert mend(running, {frame: lines(5, 6, NOON)}).refused == {
        frame: "it stands for 7 events, these are 6 lines"
    }
    broken_once = [*lines(5, 6, NOON), b"{"]
    report = mend(running, {frame: broken_once, foreign: lines(100, 4, NOON)})
    assert (report.replayed, sum(report.inserted.values()), report.new_letters) == (2, 10, 1)
    (left,) = read_dead_letters(running.statements, Selection())
    assert (left.line, left.line_number, left.producer_id) == (b"{", 6, "test")
    assert mend(running, {left.id: lines(11, 1, NOON)}).replayed == 1
    ledger = running.ledger()
    assert (ledger.issued, ledger.received, ledger.inserted, ledger.missing) == (19, 19, 19, 0)


def test_more_lines_than_an_entry_was_counted_for_use_up_the_numbers_that_were_missing(
    running: Running,
) -> None:
    # A foreign producer that numbers its frames but does not say how many events they hold.
    append_encoded(running.queue, SHARD, [{b"e": b"garbage", b"z": b"zstd", b"p": b"test", b"s": b"0"}])
    running.send(*lines(3, 2, NOON), sequence=3)
    running.drain()
    assert running.ledger().missing == 2
    replay_mended(
        config(running), {ids_of(running)[0]: lines(0, 3, NOON)}.items(), KnownEvents(running.store)
    )
    ledger = running.ledger()
    assert (ledger.residual, ledger.issued, ledger.received, ledger.redelivered) == (0, 5, 5, 0)


def test_an_entry_that_opens_by_todays_rules(running: Running) -> None:
    body = b"".join(one + b"\n" for one in (*lines(0, 3, NOON), b"{"))
    append_encoded(running.queue, SHARD, [{b"e": zstandard.compress(body), b"z": b"brotli", b"n": b"4"}])
    running.drain()
    (number,) = ids_of(running)
    assert replay(running).refused == {number: "frame_unreadable"}
    # As if a release had come that knows the compression.
    running.statements.execute(
        "update activity_dead_letters set other_fields = %s", [pack_other_fields({b"z": b"zstd", b"n": b"4"})]
    )
    report = replay(running)
    assert (report.replayed, sum(report.inserted.values()), report.new_letters) == (1, 3, 1)
    assert states(running) == {("frame_unreadable", "replayed"): 1, ("not_json", "open"): 1}


def test_an_entry_of_an_older_release_is_mended_by_as_many_lines(running: Running) -> None:
    append_encoded(running.queue, SHARD, [torn(0, 3)])
    running.drain()
    running.statements.execute("update activity_dead_letters set other_fields = null")
    (number,) = ids_of(running)
    for refused in (replay(running), mend(running, {number: lines(0, 4, NOON)})):
        assert refused.refused == {number: "only its bytes were kept: give its lines, 3 of them"}
    assert mend(running, {number: lines(0, 3, NOON)}).replayed == 1


def test_replays_that_race_with_each_other_and_a_drain_store_each_event_once(running: Running) -> None:
    for start in range(0, 3000, 100):
        strange = (line(n, NOON + timedelta(microseconds=n), status="odd") for n in range(start, start + 100))
        running.send(*strange, sequence=start)
    running.drain(**ONLY_PAID)
    for start in range(0, 3000, 100):
        running.send(
            *lines(start + 50, 100, NOON + timedelta(microseconds=start + 50)), sequence=3000 + start
        )
    reports: list[Any] = []

    def run_all(works: Iterable[Any]) -> None:
        threads = [threading.Thread(target=lambda work=work: reports.append(work())) for work in works]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def one() -> ReplayReport:
        return replay_stored(config(running), Selection(), KnownEvents(running.store))

    run_all([one, one, lambda: running.drain(batch_rows=100)])
    assert len(reports) == 3
    assert set(running.ids().values()) == {1}
    assert len(running.ids()) == 3050
    ledger = running.ledger()
    assert (ledger.residual, ledger.inserted, ledger.duplicate) == (0, 3050, 2950)
    assert states(running) == {("not_allowed", "replayed"): 3000}
