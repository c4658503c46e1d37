"""The archive killed again and again, at any instant, while events arrive: nothing is lost, nothing twice."""

from __future__ import annotations

import os
import random
from collections import Counter
from uuid import UUID

import pytest

from activity_pipeline_tests.faults.children import archive_forever, kill, start
from activity_pipeline_tests.faults.test_killed_compactions import cold, compacted, finished
from activity_pipeline_tests.integration.archive.conftest import Cold

__all__ = ["cold"]

LONGEST_RUN_S = 0.25


class Arrivals:
    """Events of days that are hot, late, archived or on their way, and some of them again."""

    def __init__(self, cold: Cold, draw: random.Random) -> None:
        self.cold = cold
        self.draw = draw
        self.sends: list[tuple[int, int, int]] = []
        self.ids: list[UUID] = []

    def come(self) -> None:
        """Send new events of a day, and at times some that came before."""
        back, count = self.draw.choice([1, 2, 3, 4, 5, 400, 401]), self.draw.randint(1, 8)
        self.sends.append((back, self.cold.sent, count))
        day, known = self.cold.day(back), self.cold.running.states()
        send = self.cold.send_hot if back < 400 and day not in known else self.cold.send
        self.ids += send(day, count)
        if self.draw.random() < 0.3:
            end = self.cold.sent
            back, self.cold.sent, count = self.draw.choice(self.sends)
            self.cold.send(self.cold.day(back), count)
            self.cold.sent = end


def survive(cold: Cold, kills: int) -> None:
    seed = int(os.environ.get("KILL_SEED") or random.SystemRandom().randrange(10**9))
    print(f"\nKILL_SEED={seed}")  # noqa: T201 what it takes to see a failure again
    draw = random.Random(seed)
    arrivals = Arrivals(cold, draw)
    running = cold.running
    for _ in range(kills):
        arrivals.come()
        process = start(archive_forever, running.settings.postgres_dsn, running.store.url, cold.day(0))
        process.join(draw.uniform(0, LONGEST_RUN_S))
        arrivals.come()
        process.join(draw.uniform(0, LONGEST_RUN_S))
        assert process.is_alive()
        kill(process)
        assert set(cold.stored()) == set(arrivals.ids)
    while cold.due():
        cold.archive()
    compacted(cold)
    finished(cold, arrivals.ids)
    assert set(running.states().values()) == {"archived"}
    assert running.ledger().archived == len(Counter(arrivals.ids))


@pytest.mark.faults
def test_four_kills(cold: Cold) -> None:
    survive(cold, 4)


@pytest.mark.slow
@pytest.mark.faults
def test_a_hundred_kills(cold: Cold) -> None:
    survive(cold, 100)
