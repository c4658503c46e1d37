"""What reaches the drain is damaged: nothing good is lost, nothing is doubled, what is gone is counted."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import struct
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
import zstandard

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.errors import QueueRewoundError
from activity_pipeline.events.days import today
from activity_pipeline.events.frame import Frame, encode
from activity_pipeline.events.model import DeadLetterReason as Reason
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.ledger import read_ledger, read_producers
from activity_pipeline.ingest import DrainConfig, drain
from activity_pipeline.local import LocalStack
from activity_pipeline.queue.append import append, append_encoded
from activity_pipeline.queue.connection import Shard, stream_key
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.read import last_id
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import READY_S, drain_measured, start
from activity_pipeline_tests.faults.conftest import restart
from activity_pipeline_tests.lines import line, lines

pytestmark = pytest.mark.faults
NOON = datetime.combine(today(), datetime.min.time(), UTC)
SHARD = Shard(0)
EACH = 50


def frame(number: int) -> Frame:
    """Return the producer's frame of that number."""
    body = b"".join(one + b"\n" for one in lines(number * EACH, EACH, NOON))
    return Frame(body=body, count=EACH, producer="p", sequence=number * EACH)


def ids(*numbers: int) -> set[UUID]:
    """Return the ids of the events in frames."""
    return {UUID(int=n, version=4) for number in numbers for n in range(number * EACH, (number + 1) * EACH)}


@pytest.mark.parametrize("is_rewound", [False, True], ids=["above the offset", "below the offset"])
def test_redis_comes_back_without_the_tail_of_its_file(
    own_stack: LocalStack, tmp_path: Path, is_rewound: bool
) -> None:
    known = KnownEvents(ArchiveStore(str(tmp_path / "archive")))
    config = DrainConfig(own_stack.redis_url, own_stack.postgres_dsn)
    log = own_stack.state / "redis" / "appendonly.aof"
    with connect_queue(own_stack.redis_url) as queue:
        append(queue, SHARD, map(frame, range(3)))
        queue.execute_command("CONFIG", "SET", "appendfsync", "always")
        cut_at = log.stat().st_size
        append(queue, SHARD, map(frame, range(3, 5)))
        drain(config, known)
        if not is_rewound:
            append(queue, SHARD, [frame(5)])
            cut_at = log.stat().st_size
        append(queue, SHARD, [frame(6)])
    os.kill(own_stack.servers.redis_pid, signal.SIGKILL)
    os.truncate(log, cut_at + 20)  # in the middle of a command
    restart(own_stack)
    with connect_queue(own_stack.redis_url) as queue, connect(own_stack.postgres_dsn) as connection:
        if is_rewound:
            with pytest.raises(QueueRewoundError) as caught:
                drain(config, known)
            # What the message says.
            offset = vars(caught.value)["offset"]
            assert f"XADD with an id > {offset}, or XSETID" in str(caught.value)
            queue.execute_command("XSETID", stream_key(SHARD), offset)
            assert last_id(queue, SHARD) == offset
        append(queue, SHARD, [frame(7)])
        drain(config, known)
        kept = (0, 1, 2, 3, 4, 7) if is_rewound else (0, 1, 2, 3, 4, 5, 7)
        stored = [row[0] for row in connection.execute("select id from activity_logs")]
        assert len(stored) == len(set(stored))
        assert set(stored) == ids(*kept)
        ledger = read_ledger(connection)
        assert ledger.residual == ledger.missing == (2 if is_rewound else 1) * EACH
        (producer,) = read_producers(connection)
        assert producer.missing_ranges == ("{[250,350)}" if is_rewound else "{[300,350)}")


def test_frames_cut_doubled_reordered_and_from_the_future(running: Running) -> None:
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    entries, lost, sent = [], 0, set[UUID]()
    for number in range(60):
        fields = encode(frame(number))
        fate = chance.random()
        if fate < 0.2:
            fields[b"e"] = fields[b"e"][: chance.randrange(len(fields[b"e"]))]
            lost += 1
        else:
            sent |= ids(number)
            if fate < 0.4:
                entries.append(fields)
        entries.insert(chance.randrange(len(entries) + 1), fields)
    future = (NOON + timedelta(days=3)).isoformat()
    entries.append(encode(Frame(body=line(0, NOON, timestamp=future), count=1, producer="ahead")))
    append_encoded(running.queue, SHARD, entries)
    while running.drain(batch_rows=chance.choice([1, 120, 5000])).batches:
        pass
    stored = running.ids()
    assert set(stored) == sent, seed
    assert set(stored.values()) == {1}
    ledger = running.ledger()
    doubled = len(entries) - 61
    assert (ledger.residual, ledger.dead_lettered, ledger.duplicate) == (0, lost * EACH + 1, doubled * EACH)
    assert (ledger.issued, ledger.redelivered) == (60 * EACH + 1, doubled * EACH)


GIB = 2**30
BLOCK_BYTES = 128 * 1024


def bomb(size_bytes: int, *, claim: int | None) -> bytes:
    """Return a zstd frame that repeats one byte, block after block, and says that it holds `claim` bytes."""
    # RFC 8878: magic, descriptor (8 bytes of content size, single segment; or a window of 128 KiB), blocks.
    head = b"\x28\xb5\x2f\xfd" + (b"\x00\x38" if claim is None else b"\xe0" + struct.pack("<Q", claim))
    count = size_bytes // BLOCK_BYTES
    repeated = [((BLOCK_BYTES << 3) | (1 << 1) | (number == count - 1)) for number in range(count)]
    return head + b"".join(struct.pack("<I", block)[:3] + b"{" for block in repeated)


def test_the_bombs_are_bombs() -> None:
    with zstandard.ZstdDecompressor().stream_reader(bomb(3 * BLOCK_BYTES, claim=None)) as reader:
        assert reader.read(GIB) == b"{" * 3 * BLOCK_BYTES
    assert len(bomb(10 * GIB, claim=None)) < 400_000


@pytest.mark.parametrize(
    ("claim", "reason"),
    [
        (None, Reason.FRAME_TOO_LARGE),
        (10 * GIB, Reason.FRAME_TOO_LARGE),
        (0, Reason.FRAME_UNREADABLE),
        (1000, Reason.FRAME_UNREADABLE),
    ],
    ids=["it says nothing", "it says so", "it says 0", "it says 1000"],
)
def test_a_compressed_bomb_is_a_dead_letter_and_no_memory(
    running: Running, claim: int | None, reason: Reason
) -> None:
    for number in range(3):
        running.send(*lines(number * 10, 10, NOON), sequence=number * 10)
        append_encoded(running.queue, SHARD, [{b"e": bomb(10 * GIB, claim=claim), b"z": b"zstd"}])
    peaks, child = multiprocessing.Pipe()
    config = replace(DrainConfig.of(running.settings), idle_s=0.0)
    process = start(drain_measured, config, running.settings.archive_root, child)
    process.join(READY_S)
    assert process.exitcode == 0
    before, after = peaks.recv(), peaks.recv()
    assert after - before < GIB // 2
    reasons = running.statements.execute("select distinct reason from activity_dead_letters").fetchall()
    assert reasons == [(reason.value,)]
    assert len(running.ids()) == 30
    ledger = running.ledger()
    assert (ledger.residual, ledger.dead_lettered) == (0, 3)
