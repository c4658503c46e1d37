"""ActivityLogger: what an application holds."""

from __future__ import annotations

import atexit
import logging
import os
import time
import weakref
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Self
from uuid import UUID

from activity_pipeline.errors import EventError, SettingsError
from activity_pipeline.events.ids import new_id
from activity_pipeline.producer.buffer import Buffer, Limits
from activity_pipeline.producer.delivery import Delivery
from activity_pipeline.producer.encoding import encode_event
from activity_pipeline.producer.spool import SpoolFolder, queue_name
from activity_pipeline.producer.stats import DropReason, Stats

if TYPE_CHECKING:
    from activity_pipeline.producer.transport import Transport

_LOG = logging.getLogger("activity_pipeline")

ROOM_TIMEOUT_S = 30.0
"""How long `log_lines` waits for room before it goes on and events are dropped for want of it."""

EXIT_TIMEOUT_S = 5.0
"""How long the end of the process waits for Redis before the rest goes to the spool."""


_open_loggers: weakref.WeakSet[ActivityLogger] = weakref.WeakSet()


class ActivityLogger:
    """Logs events to the queue without making the application wait.

    `log` encodes the event and returns; a background thread packs events into frames and takes
    them to Redis, or to a spool on the local disk while Redis is away. Thread-safe. After a fork
    the child goes on under a producer id of its own. The application never sees an exception
    because Redis or the disk is away, nor because of a malformed event unless `strict` is set.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        source: str,
        shards: int = 1,
        spool_dir: Path | None = None,
        linger_s: float = 0.05,
        limits: Limits | None = None,
        strict: bool = False,
    ) -> None:
        """Prepare to log; nothing is sent, opened or started before the first event.

        Args:
            url: URL of the Redis that holds the queue; default: setting ACTIVITY_REDIS_URL.
            source: The event field `source`: which application this is, 1 to 64 characters.
            shards: Number of streams of the queue; setting ACTIVITY_QUEUE_SHARDS of the sink.
            spool_dir: Folder of the spool; default: setting ACTIVITY_SPOOL_DIR.
            linger_s: Longest that an event waits for others to share its frame, in seconds.
            limits: When a frame is cut, and how much may wait in memory.
            strict: Raise EventError for a malformed event instead of counting it as dropped.
                For development and tests.

        Raises:
            SettingsError: There is no URL, or an argument makes no sense.
        """
        if url is None or spool_dir is None:
            # Here because reading .env files costs more to import than all the rest.
            from activity_pipeline.settings import load_settings  # noqa: PLC0415

            settings = load_settings()
            url = url or settings.redis_url
            spool_dir = spool_dir or settings.spool_path
        if not url:
            raise SettingsError("no Redis to log to: pass url or set ACTIVITY_REDIS_URL")
        if shards < 1 or linger_s <= 0:
            raise SettingsError("shards must be at least 1 and linger_s above 0")
        self._url = url
        self._source = source
        self._shards = shards
        self._folder = SpoolFolder(Path(spool_dir), queue_name(url))
        self._linger_s = linger_s
        self._limits = limits or Limits()
        self._strict = strict
        self._closed = False
        self._reset()
        _open_loggers.add(self)

    def _reset(self) -> None:
        self.producer = new_id()
        self._buffer = Buffer(self._limits)
        self._delivery = Delivery(
            self._buffer, self.producer, connect=self._connect, folder=self._folder, linger_s=self._linger_s
        )

    def log(
        self,
        action: str,
        *,
        entity_type: str | None = None,
        entity_id: str | int | UUID | None = None,
        user_id: str | UUID | None = None,
        status: str | None = None,
        metadata: dict[str, Any] | None = None,
        timestamp: datetime | str | None = None,
        event_id: str | UUID | None = None,
    ) -> str:
        """Log one event; return its id at once.

        The event is encoded before this returns, so what happens to `metadata` later does not
        matter. Lengths and formats are the sink's to judge: what breaks a rule becomes a dead
        letter with its bytes kept. What is absent or None is taken from `bind`.

        Args:
            action: What was done, 1 to 128 characters.
            entity_type: Kind of the thing that it was done to.
            entity_id: Which one; numbers and UUIDs are written as text.
            user_id: UUID of who did it.
            status: How it went; default: `success`.
            metadata: Anything JSON can hold, also dates, Decimals, UUIDs and dataclasses.
            timestamp: When, with an offset; default: now.
            event_id: UUID of the event, where it has one; default: a new UUIDv7.

        Raises:
            EventError: Only with `strict`; `reason` says why.
        """
        text_id = new_id() if event_id is None else str(event_id)
        try:
            line = encode_event(
                event_id=text_id,
                timestamp=timestamp,
                source=self._source,
                action=action,
                entity_type=entity_type,
                entity_id=entity_id,
                user_id=user_id,
                status=status,
                metadata=metadata,
            )
        except EventError as error:
            self._refuse(error)
        else:
            self._accept(line)
        return text_id

    def log_line(self, line: bytes) -> None:
        """Log an event that is already one NDJSON line; its bytes are not looked at.

        Args:
            line: The line, with or without its line ending. A broken one becomes a dead letter.

        Raises:
            EventError: Only with `strict`: the line is blank or several.
        """
        line = line.rstrip(b"\r\n")
        if not line or line.isspace() or b"\n" in line:
            self._refuse(EventError("an event is exactly one line", reason=DropReason.NOT_ONE_LINE.value))
        else:
            self._accept(line)

    def log_lines(self, lines: Sequence[bytes]) -> None:
        """Log many lines at the pace of the queue, for importers: waits while the memory is full.

        Args:
            lines: Events in order, each one NDJSON line without its line ending, together a few
                MiB at the most.
        """
        if self._closed:
            for _ in lines:
                self._refuse(_closed_error())
            return
        buffer = self._buffer
        if buffer.add_many(lines):
            self._delivery.attend()
        with buffer.changed:
            buffer.changed.wait_for(
                lambda: buffer.size_bytes <= self._limits.buffer_bytes // 2, ROOM_TIMEOUT_S
            )

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait until Redis has accepted everything logged so far, the spool included.

        Returns:
            False where `timeout_s` seconds were not enough. Nothing is lost then: it stays on its way.
        """
        buffer = self._buffer
        if self._closed:
            return buffer.buffered() == 0
        target = buffer.cut()
        self._delivery.retry_now()
        with buffer.changed:
            return buffer.changed.wait_for(
                lambda: buffer.accepted >= target and not self._delivery.adopting, timeout_s
            )

    def close(self, timeout_s: float = EXIT_TIMEOUT_S) -> None:
        """Flush for at most `timeout_s` seconds, put the rest into the spool, end the thread.

        Without a close, the end of the process does the same.
        """
        if self._closed:
            return
        deadline = time.monotonic() + timeout_s
        if self._delivery.started:
            self.flush(timeout_s)
        self._closed = True
        _open_loggers.discard(self)
        self._buffer.cut()
        self._delivery.spill()
        if lost := self._buffer.buffered():
            _LOG.error("closed with %d events that neither Redis nor the spool took", lost)
        self._delivery.stop(max(deadline - time.monotonic(), 0.5))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def stats(self) -> Stats:
        """The counts so far."""
        with self._buffer.lock:
            counts = self._buffer.counts
            return Stats(
                logged=counts.logged,
                sent=counts.sent,
                spooled=counts.spooled,
                replayed=counts.replayed,
                dropped=MappingProxyType(dict(counts.dropped)),
                torn=counts.torn,
                buffered=self._buffer.buffered(),
            )

    def _accept(self, line: bytes) -> None:
        if self._closed:
            self._refuse(_closed_error())
        elif self._buffer.add(line):
            self._delivery.attend()

    def _refuse(self, error: EventError) -> None:
        if self._strict:
            raise error
        if self._buffer.drop(error.reason) and not self._closed:
            self._delivery.attend()

    def _connect(self) -> Transport:
        # Here because importing redis takes longer than the import of an application may.
        from activity_pipeline.producer.transport import RedisTransport  # noqa: PLC0415

        return RedisTransport(self._url, self._shards)

    def _start_anew_after_fork(self) -> None:
        # The thread stayed in the parent, which also delivers what was buffered before the fork.
        self._delivery.abandon()
        self._reset()


def _closed_error() -> EventError:
    return EventError("the logger is closed", reason=DropReason.CLOSED.value)


def _close_all() -> None:
    for logger in list(_open_loggers):
        logger.close(EXIT_TIMEOUT_S)


def _start_all_anew() -> None:
    for logger in list(_open_loggers):
        logger._start_anew_after_fork()


atexit.register(_close_all)
os.register_at_fork(after_in_child=_start_all_anew)
