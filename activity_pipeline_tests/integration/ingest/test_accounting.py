"""Duplicates, redeliveries, declared drops and gaps: the ledger tells each from the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from activity_pipeline.errors import QueueRewoundError
from activity_pipeline.events.days import today
from activity_pipeline.events.frame import Frame, encode
from activity_pipeline.hot.ledger import read_producers
from activity_pipeline.queue.append import append, append_encoded
from activity_pipeline.queue.connection import Shard, stream_key
from activity_pipeline.queue.read import START, backlog, read_after
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.lines import RULES, line, lines

SHARD = Shard(0)
NOON = datetime.combine(today(), datetime.min.time(), UTC)
STRICT = {"allowed_statuses": ",".join(RULES.allowed_statuses)}


def test_duplicates_within_a_batch_and_across_batches(running: Running) -> None:
    batch = lines(0, 50, NOON)
    running.send(*batch, *batch[:20])
    running.send(*batch, sequence=70)
    first = running.drain(batch_rows=1)
    assert (sum(first.inserted.values()), sum(first.duplicate.values())) == (50, 70)
    running.send(*batch, *lines(50, 5, NOON + timedelta(seconds=1)), sequence=120)
    second = running.drain()
    assert (sum(second.inserted.values()), sum(second.duplicate.values())) == (5, 50)
    assert set(running.ids().values()) == {1}
    ledger = running.ledger()
    assert ledger.residual == 0
    assert (ledger.issued, ledger.inserted, ledger.duplicate) == (175, 55, 120)


def test_the_first_of_two_copies_wins(running: Running) -> None:
    running.send(line(1, NOON, source="first"), line(1, NOON, source="second"))
    running.drain()
    assert running.statements.execute("select source from activity_logs").fetchall() == [("first",)]


def test_one_id_at_two_instants_is_two_events(running: Running) -> None:
    running.send(line(1, NOON), line(1, NOON + timedelta(microseconds=1)))
    running.drain()
    assert running.count("activity_logs_current") == 2


def test_redelivered_frames_are_duplicates(running: Running) -> None:
    for _ in range(3):
        running.send(*lines(0, 10, NOON))
    running.send(*lines(5, 10, NOON + timedelta(microseconds=5)), sequence=5)
    running.drain(batch_rows=1)
    running.send(*lines(0, 10, NOON))
    running.drain()
    ledger = running.ledger()
    assert ledger.residual == 0
    assert (ledger.issued, ledger.redelivered, ledger.received) == (15, 35, 50)
    assert (ledger.inserted, ledger.duplicate, ledger.missing) == (15, 35, 0)


def frame(sequence: int, body: list[bytes], drops: dict[str, int] | None = None) -> Frame:
    return Frame(
        body=b"".join(one + b"\n" for one in body),
        count=len(body),
        producer="test",
        sequence=sequence,
        drops=drops or {},
    )


@pytest.mark.parametrize("batch_rows", [1, 1000])
def test_declared_drops_are_accounted_for_once(running: Running, batch_rows: int) -> None:
    frames = [
        frame(0, lines(0, 5, NOON)),
        frame(9, lines(5, 5, NOON), {"full": 3, "closed": 1}),
        frame(16, [], {"full": 2}),
    ]
    append(running.queue, SHARD, [*frames, *frames[1:]])
    running.drain(batch_rows=batch_rows)
    append(running.queue, SHARD, [*frames[1:], frame(17, lines(10, 1, NOON), {"full": 1})])
    running.drain(batch_rows=batch_rows)
    ledger = running.ledger()
    assert ledger.residual == 0
    assert (ledger.issued, ledger.dropped, ledger.missing) == (18, 7, 0)
    ((reasons,),) = running.statements.execute("select drop_reasons from activity_producers")
    assert reasons == {"full": 6, "closed": 1}


def test_a_frame_of_drops_alone(running: Running) -> None:
    append(running.queue, SHARD, [frame(4, [], {"full": 4})])
    report = running.drain()
    assert (report.batches, report.received) == (1, 0)
    assert running.ledger().dropped == 4
    assert running.ledger().residual == 0
    assert backlog(running.queue, 1) == 0


def test_a_gap_is_missing_until_it_arrives(running: Running) -> None:
    running.send(*lines(0, 10, NOON))
    running.send(*lines(20, 10, NOON + timedelta(seconds=1)), sequence=20)
    append_encoded(running.queue, SHARD, [encode(frame(40, lines(40, 1, NOON))) | {b"n": b"3"}])
    running.drain()
    ledger = running.ledger()
    assert ledger.missing == 10 + 10 + 2
    assert ledger.residual == ledger.missing
    assert ledger.differences["missing from producers"] == 22
    (producer,) = read_producers(running.statements)
    assert producer.missing_ranges == "{[10,20),[30,40),[41,43)}"
    for start, count in ((10, 10), (30, 10), (41, 2)):
        running.send(*lines(start, count, NOON + timedelta(seconds=2)), sequence=start)
    running.drain()
    assert running.ledger().residual == 0
    assert read_producers(running.statements)[0].missing_ranges == "{}"


def test_an_event_without_id_is_stored_once_however_often_its_batch_is_replayed(running: Running) -> None:
    running.queue.xadd(stream_key(SHARD), {"e": b'{"source":"php","action":"login"}'})
    entries = read_after(running.queue, SHARD, START, max_entries=9, max_bytes=999)
    running.drain()
    running.queue.delete(stream_key(SHARD))
    running.queue.xadd(stream_key(SHARD), {"e": b"{}"}, id="1-1")
    with pytest.raises(QueueRewoundError):
        running.drain()
    # As after a restored database: the offset and the ledger are gone, the event is there.
    running.statements.execute("truncate queue_offsets, activity_producers, activity_ledger")
    running.queue.delete(stream_key(SHARD))
    for entry in entries:
        running.queue.xadd(stream_key(SHARD), {"e": entry.fields[b"e"]}, id=entry.id)
    assert sum(running.drain().duplicate.values()) == 1
    assert running.count("activity_logs_current") == 1
