"""Event ids are UUIDv7: ordered by time, unique under threads, and in the RFC's form."""

from __future__ import annotations

import threading
import time
from uuid import RFC_4122, UUID

from activity_pipeline.events.ids import new_id


def test_an_id_is_a_uuid_of_version_7_in_canonical_text() -> None:
    for _ in range(1000):
        text = new_id()
        parsed = UUID(text)
        assert str(parsed) == text
        assert (parsed.version, parsed.variant) == (7, RFC_4122)


def test_an_id_carries_the_millisecond_it_was_made_in() -> None:
    before = time.time_ns() // 1_000_000
    milliseconds = UUID(new_id()).int >> 80
    assert before <= milliseconds <= time.time_ns() // 1_000_000


def test_ids_made_later_sort_later() -> None:
    def next_millisecond() -> str:
        now = time.time_ns() // 1_000_000
        while time.time_ns() // 1_000_000 == now:
            pass
        return new_id()

    ids = [next_millisecond() for _ in range(20)]
    assert ids == sorted(ids)


def test_every_random_bit_varies() -> None:
    seen_set, seen_clear = 0, 0
    for _ in range(500):
        value = UUID(new_id()).int
        seen_set |= value
        seen_clear |= ~value
    random_bits = (0xFFF << 64) | ((1 << 62) - 1)
    assert seen_set & seen_clear & random_bits == random_bits


def test_ids_are_unique_under_threads() -> None:
    found: list[list[str]] = [[] for _ in range(8)]

    def make(own: list[str]) -> None:
        own.extend(new_id() for _ in range(5_000))

    threads = [threading.Thread(target=make, args=(own,)) for own in found]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({text for own in found for text in own}) == 40_000
