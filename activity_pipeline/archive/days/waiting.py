"""What has not arrived yet: queue, outboxes and spool, which an erasure can name and not rewrite."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psycopg
import redis
from psycopg.conninfo import conninfo_to_dict

from activity_pipeline.archive.chain.receipt import Waiting
from activity_pipeline.errors import StoreError
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.offsets import read_offsets
from activity_pipeline.hot.outbox import lines_waiting
from activity_pipeline.producer.spool import measure
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.queue.lag import stored_in


@dataclass(frozen=True, slots=True)
class Sources:
    """Where events come from.

    Attributes:
        postgres_dsn: The database, which knows the shards.
        redis_url: The queue.
        shards: Number of streams.
        outbox_dsns: Databases with an outbox.
        spool: The spool folder of this user on this host.
    """

    postgres_dsn: str
    redis_url: str
    shards: int
    outbox_dsns: Sequence[str]
    spool: Path

    def look(self, subject: Subject) -> list[Waiting]:
        """Return what waits anywhere, or why nobody knows.

        In the order in which events travel, so that none passes by between two looks.
        """
        return [*self._spool(), *self._outboxes(subject), *self._queue()]

    def _queue(self) -> Iterator[Waiting]:
        try:
            with connect_queue(self.redis_url) as client, connect(self.postgres_dsn) as statements:
                shards = sorted({*range(self.shards), *read_offsets(statements)})
                for key, entries, size_bytes in stored_in(client, [Shard(shard) for shard in shards]):
                    yield Waiting(place=f"queue {key}", entries=entries, size_bytes=size_bytes)
        except redis.RedisError as error:
            yield Waiting(place="queue", fault=str(error))

    def _outboxes(self, subject: Subject) -> Iterator[Waiting]:
        for dsn in self.outbox_dsns:
            place = f"outbox of {conninfo_to_dict(dsn).get('dbname', 'the database')}"
            try:
                entries = size_bytes = mentions = 0
                with connect(dsn) as connection:
                    for line in lines_waiting(connection):
                        entries += 1
                        size_bytes += len(line)
                        mentions += subject.is_of_line(line)
            except (psycopg.Error, StoreError) as error:
                yield Waiting(place=place, fault=str(error).strip())
                continue
            if entries:
                yield Waiting(place=place, entries=entries, size_bytes=size_bytes, mentions=mentions)

    def _spool(self) -> Iterator[Waiting]:
        try:
            folders = measure(self.spool)
        except FileNotFoundError:
            return
        except OSError as error:
            yield Waiting(place="spool", fault=str(error))
            return
        if folders:
            yield Waiting(place="spool", entries=len(folders), size_bytes=sum(folders))
