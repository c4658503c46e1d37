"""The drain against what Postgres can take at all, and against the design that it replaces.

side        what it does with the same events
drain       as shipped: Redis stream, frames, verdicts, COPY, ledger, offset, trim
copy        binary COPY of the very same rows, read from memory, into identical tables
duplicates  the drain, where one event in ten was sent twice
list        LRANGE and LTRIM of 500 from a list, INSERTs of 100 rows, eleven indexes (bench/list_queue.py)
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.reader import KnownEvents
from activity_pipeline.bench.load import fill_queue
from activity_pipeline.bench.servers import Servers
from activity_pipeline.ingest import DrainConfig, DrainReport, drain


def drain_once(servers: Servers, lines: Sequence[bytes], dsn: str, folder: Path) -> DrainReport:
    fill_queue(servers, lines)
    config = DrainConfig(redis_url=servers.stack.redis_url, postgres_dsn=dsn)
    return drain(config, KnownEvents(ArchiveStore(str(folder))))
