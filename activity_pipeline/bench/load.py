"""The events that benchmarks send: a simulated shop's, about 380 bytes each, or those of a file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.bench.servers import Servers
from activity_pipeline.errors import ActivityError
from activity_pipeline.events.frame import Frame
from activity_pipeline.events.ids import new_id
from activity_pipeline.ingest.config import DrainConfig
from activity_pipeline.ingest.drain import drain
from activity_pipeline.local.shop import simulate
from activity_pipeline.producer import ActivityLogger
from activity_pipeline.producer.importing import import_file
from activity_pipeline.queue.append import append
from activity_pipeline.queue.connection import Shard

FRAME_EVENTS = 2_000
FRAMES_PER_TRIP = 50
LOAD_EVENTS = 500_000
"""Events that wait in Redis at a time while a database is loaded."""

EVER = 36_525
"""Hot days enough for every event to get a partition."""

FLUSH_TIMEOUT_S = 120.0


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


def load_events(
    servers: Servers, dsn: str, batches: Iterable[Sequence[bytes]], *, hot_days: int = EVER
) -> int:
    """Store events as the drain stores them; return how many.

    Args:
        servers: Whose queue they go through; the database is one of theirs.
        dsn: The database.
        batches: NDJSON lines without line feeds, some at a time.
        hot_days: Days that get a partition, today included; events before them are late.
    """
    total = 0
    waiting: list[bytes] = []
    for batch in chain(batches, [()]):
        waiting += batch
        if waiting and (not batch or len(waiting) >= LOAD_EVENTS):
            fill_queue(servers, waiting)
            total += _drained(servers, dsn, hot_days)
            waiting.clear()
    return total


def load_file(servers: Servers, dsn: str, path: Path, *, hot_days: int = EVER) -> int:
    """Store the events of a file, in any format that `import` takes; return how many."""
    with (
        tempfile.TemporaryDirectory(prefix="activity-bench-") as spool,
        ActivityLogger(servers.stack.redis_url, source="import", spool_dir=Path(spool)) as logger,
    ):
        import_file(path, logger)
        if not logger.flush(FLUSH_TIMEOUT_S):
            raise ActivityError(f"Redis did not take all events of {path} in time")
    return _drained(servers, dsn, hot_days)


def _drained(servers: Servers, dsn: str, hot_days: int) -> int:
    config = DrainConfig(redis_url=servers.stack.redis_url, postgres_dsn=dsn, hot_days=hot_days)
    with tempfile.TemporaryDirectory(prefix="activity-bench-") as nothing_archived:
        return drain(config, KnownEvents(ArchiveStore(nothing_archived))).inserted.total()
