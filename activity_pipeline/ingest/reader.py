"""Reading ahead: the next batch is read and decoded while the last one is being stored."""

from __future__ import annotations

from bisect import bisect_right
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import redis

from activity_pipeline.hot.batch import Batch
from activity_pipeline.ingest.config import DrainConfig
from activity_pipeline.ingest.decode import decode_entries
from activity_pipeline.queue.adopt import adopt_legacy_list
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.read import Entry, EntryId, check_not_rewound, order_of, read_after

MAX_BATCH_BYTES = 64 * 1024 * 1024
"""Most bytes of lines in the batches of all shards that are read at a time. Each is held twice at the most:
one batch is being stored, the next one is being read."""

MAX_READ_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReadBatch:
    """A batch and the place in the stream that it was read after."""

    after: EntryId
    batch: Batch


class Reader:
    """Reads one stream in a thread of its own, one batch ahead of whoever takes them."""

    def __init__(self, config: DrainConfig, shard: Shard, client: redis.Redis) -> None:
        """Prepare; `seek` says where to begin."""
        self.adopted = 0
        self._config = config
        self._shard = shard
        self._client = client
        self._entries: list[Entry] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="read-ahead")
        self._ahead: Future[ReadBatch | None] | None = None

    def seek(self, after: EntryId) -> None:
        """Read on after an entry; what was read ahead is let go."""
        self._ahead = self._thread.submit(self._read, after)

    def take(self) -> ReadBatch | None:
        """Return the next batch and begin with the one after it; None where the stream ends here.

        Raises:
            QueueRewoundError: The stream ends below the place to read on from.
            redis.RedisError: Redis does not answer.
        """
        if self._ahead is None:
            raise AssertionError("seek comes first")
        read = self._ahead.result()
        if read is not None:
            self.seek(EntryId(read.batch.through))
        return read

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown(cancel_futures=True)

    def _read(self, after: EntryId) -> ReadBatch | None:
        if self._shard == 0:
            self.adopted += adopt_legacy_list(self._client, self._shard)
        check_not_rewound(self._client, self._shard, after)
        entries = self._entries_after(after)
        if not entries:
            return None
        batch = decode_entries(
            entries,
            self._config.rules,
            shard=self._shard,
            max_rows=self._config.batch_rows,
            max_bytes=MAX_BATCH_BYTES // self._config.shards,
        )
        self._entries = entries
        return ReadBatch(after, batch)

    def _entries_after(self, offset: EntryId) -> list[Entry]:
        """Return what an earlier read brought and no batch has taken, or else read on."""
        taken = bisect_right(self._entries, order_of(offset), key=lambda entry: order_of(entry.id))
        return self._entries[taken:] or read_after(
            self._client,
            self._shard,
            offset,
            max_entries=self._config.batch_rows,
            max_bytes=MAX_READ_BYTES // self._config.shards,
        )
