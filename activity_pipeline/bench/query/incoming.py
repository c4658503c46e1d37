"""Events that come in while questions are asked: a process of its own, so that it takes no client's time.

python -m activity_pipeline.bench.query.incoming REDIS_URL SPOOL
"""

from __future__ import annotations

import contextlib
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from activity_pipeline.bench.child import working
from activity_pipeline.producer import ActivityLogger

INGEST_PER_S = 2_000
SOURCES = ("shop", "billing", "auth", "search", "mail")
ACTIONS = ("order.paid", "order.sent", "cart.add", "login", "page.view", "mail.sent", "refund")
TICK_S = 0.02


@contextlib.contextmanager
def events_coming_in(redis_url: str, spool_dir: Path) -> Iterator[None]:
    """Have 2,000 events a second logged while the block runs, of the kinds that there are (data.sql)."""
    with working([sys.executable, "-m", __spec__.name, redis_url, str(spool_dir)]):
        yield


def main(redis_url: str, spool_dir: str) -> None:
    """Log until a signal comes."""
    stop, chance = threading.Event(), random.Random(1)  # noqa: S311 no secrets
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    with ActivityLogger(redis_url, source="bench", spool_dir=Path(spool_dir)) as logger:
        started, number = time.monotonic(), 0
        while not stop.wait(TICK_S):
            while number < (time.monotonic() - started) * INGEST_PER_S:
                logger.log_line(_line(number, chance))
                number += 1


def _line(number: int, chance: random.Random) -> bytes:
    def skewed(most: int) -> int:
        return int(chance.random() * chance.random() * most)

    return msgspec.json.encode(
        {
            "source": SOURCES[number % len(SOURCES)],
            "action": ACTIONS[skewed(len(ACTIONS))],
            "timestamp": datetime.now(UTC),
            "entity_type": "product" if number % 5 else "order",
            "entity_id": str(skewed(50_000)),
            "user_id": f"00000000-0000-0000-0000-{skewed(20_000):012x}",
            "status": "failed" if chance.random() < 0.02 else "success",
            "metadata": {
                "ip": f"10.{chance.randrange(256)}.{chance.randrange(256)}.{chance.randrange(256)}",
                "description": f"customer bought item {chance.randrange(20_000)} by card",
                "request_id": f"{number:08x}",
                "duration_ms": chance.randrange(500),
            },
        }
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
