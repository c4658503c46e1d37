"""The buffer cuts frames by count and size, numbers them without a gap, and forgets nothing early."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from activity_pipeline.events import frame as wire
from activity_pipeline.producer.buffer import Buffer
from activity_pipeline.producer.limits import Limits
from activity_pipeline.producer.stats import DropReason

LIMITS = Limits(frame_events=5, frame_bytes=40, buffer_bytes=10_000)

steps = st.lists(
    st.one_of(
        st.integers(1, 60).map(lambda size: ("add", size)),
        st.sampled_from([("drop", 0), ("cut", 0)]),
    ),
    max_size=60,
)


def filled(actions: list[tuple[str, int]]) -> tuple[Buffer, list[bytes], int]:
    buffer = Buffer(LIMITS)
    lines: list[bytes] = []
    drops = 0
    for action, size in actions:
        if action == "add":
            lines.append(b"x" * size)
            buffer.add(lines[-1])
        elif action == "drop":
            drops += 1
            buffer.drop(DropReason.WRONG_TYPE)
        else:
            buffer.cut()
    buffer.cut()
    return buffer, lines, drops


@given(actions=steps)
def test_every_event_is_in_one_frame_and_every_number_is_used(actions: list[tuple[str, int]]) -> None:
    buffer, lines, drops = filled(actions)
    batches = buffer.start_sending(1000, 10**9)
    assert [line for batch in batches for line in batch.lines] == lines
    end = 0
    for batch in batches:
        assert batch.sequence == end + sum(batch.drops.values())
        assert len(batch.lines) <= LIMITS.frame_events
        assert batch.size_bytes == sum(map(len, batch.lines))
        assert batch.size_bytes <= LIMITS.frame_bytes or len(batch.lines) == 1
        end = batch.end
    assert end == buffer.issued == len(lines) + drops
    assert buffer.size_bytes == sum(map(len, lines))
    assert not buffer.settle(batches)
    assert (buffer.size_bytes, buffer.buffered(), buffer.accepted) == (0, 0, buffer.issued)


@given(actions=steps, spilled=st.integers(0, 10), sent=st.integers(1, 10))
def test_frames_stay_until_they_are_settled_or_on_the_disk(
    actions: list[tuple[str, int]], spilled: int, sent: int
) -> None:
    buffer, lines, _ = filled(actions)
    sending = buffer.start_sending(sent, 10**9)
    on_disk = 0
    while on_disk < spilled and buffer.oldest() is not None:
        assert buffer.spilled() == (on_disk < len(sending))
        on_disk += 1
    # Of what was being sent, some is on the disk: its file has to skip it now.
    assert buffer.settle(sending) == (bool(sending) and on_disk > 0)
    rest = buffer.start_sending(1000, 10**9)
    gone = max(on_disk, len(sending))
    total = sum(len(batch.lines) for batch in rest)
    assert total == buffer.buffered()
    if not gone:
        assert total == len(lines)


def test_a_batch_encodes_to_a_frame_of_its_lines() -> None:
    buffer = Buffer(LIMITS)
    buffer.drop(DropReason.TOO_LARGE)
    buffer.add(b"{}")
    buffer.add(b"[]")
    buffer.cut()
    (batch,) = buffer.start_sending(10, 10**9)
    assert wire.decode(batch.encode("p")) == wire.Frame(
        body=b"{}\n[]\n", count=2, producer="p", sequence=1, drops={"too_large": 1}
    )


def test_a_round_trip_takes_at_least_one_frame_and_no_more_than_allowed() -> None:
    buffer = Buffer(LIMITS)
    for _ in range(12):
        buffer.add(b"x" * 40)
    assert len(buffer.start_sending(100, 1)) == 1
    assert len(buffer.start_sending(100, 85)) == 2
    assert len(buffer.start_sending(3, 10**9)) == 3
