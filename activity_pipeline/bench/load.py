"""The events that benchmarks send: a simulated shop's, about 380 bytes each."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain

from activity_pipeline.bench.servers import Servers
from activity_pipeline.events.frame import Frame
from activity_pipeline.events.ids import new_id
from activity_pipeline.local.shop import simulate
from activity_pipeline.queue.append import append
from activity_pipeline.queue.connection import Shard

FRAME_EVENTS = 2_000
FRAMES_PER_TRIP = 50


def shop_lines(events: int, *, days: int = 30, seed: int = 1) -> list[bytes]:
    """Return events over the last `days` days as NDJSON lines without line feeds, in time order."""
    return list(chain.from_iterable(simulate(days=days, events=events, seed=seed, until=datetime.now(UTC))))


def fill_queue(servers: Servers, lines: Sequence[bytes]) -> None:
    """Put events into the queue as one producer would send them."""
    producer = new_id()
    frames = []
    for first in range(0, len(lines), FRAME_EVENTS):
        part = lines[first : first + FRAME_EVENTS]
        frames.append(
            Frame(body=b"\n".join((*part, b"")), count=len(part), producer=producer, sequence=first)
        )
    for first in range(0, len(frames), FRAMES_PER_TRIP):
        append(servers.queue, Shard(0), frames[first : first + FRAMES_PER_TRIP])
