"""ActivityLogger: what an application holds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from activity_pipeline.errors import DeliveryTimeoutError, EventError, SettingsError
from activity_pipeline.events.ids import new_id
from activity_pipeline.producer import lifecycle
from activity_pipeline.producer.buffer import Buffer
from activity_pipeline.producer.context import bound, fill
from activity_pipeline.producer.encoding import encode_event
from activity_pipeline.producer.limits import Limits, Overflow
from activity_pipeline.producer.stats import DropReason, Stats, dropped

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path
    from uuid import UUID

    from activity_pipeline.producer.redaction import Redactor
    from activity_pipeline.producer.transport import Transport

ROOM_TIMEOUT_S = 30.0
"""How long `log_lines` waits for room before it goes on and events are dropped for want of it."""

WAIT_TIMEOUT_S = 10.0
"""How long a call that waits for Redis does so, unless it says otherwise."""

EXIT_TIMEOUT_S = 5.0
"""How long the end of the process waits for Redis before the rest goes to the spool."""


class ActivityLogger:
    """Logs events to the queue without making the application wait.

    `log` encodes the event and returns; a background thread packs events into frames and takes
    them to Redis, or to a spool on the local disk while Redis is away. Thread-safe. After a fork
    the child goes on under a producer id of its own. The application never sees an exception
    because Redis or the disk is away, nor because of a malformed event unless `strict` is set;
    only a call that waits for Redis says that it has waited in vain.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        source: str,
        shards: int = 1,
        spool_dir: Path | None = None,
        spool_bytes: int | None = None,
        linger_s: float = 0.05,
        limits: Limits | None = None,
        overflow: Overflow | str = Overflow.SPOOL,
        redact: str | Redactor | Iterable[str | Redactor] = (),
        strict: bool = False,
    ) -> None:
        """Prepare to log; nothing is sent, opened or started before the first event.

        Args:
            url: URL of the Redis that holds the queue; default: setting ACTIVITY_REDIS_URL.
            source: The event field `source`: which application this is, 1 to 64 characters.
            shards: Number of streams of the queue; setting ACTIVITY_QUEUE_SHARDS of the sink.
            spool_dir: Folder of the spool, on a local disk; default: setting ACTIVITY_SPOOL_DIR.
            spool_bytes: Most bytes in it, of all producers; default: setting ACTIVITY_SPOOL_BYTES.
            linger_s: Longest that an event waits for others to share its frame, in seconds.
            limits: When a frame is cut, and how much may wait in memory.
            overflow: What happens when the memory is full: `spool`, `block` or `drop`.
            redact: What must not leave the process: names of fields, blanked at any depth of the
                metadata, and functions from an event (a dict as JSON has it) to an event. An event
                that cannot be redacted is dropped.
            strict: Raise EventError for a malformed event instead of counting it as dropped.
                For development and tests.

        Raises:
            SettingsError: There is no URL, or an argument makes no sense.
        """
        # Here because it takes longer to import than an application that does not log may wait.
        from activity_pipeline.producer.options import check_overflow, find_queue, redaction  # noqa: PLC0415

        if shards < 1 or linger_s <= 0:
            raise SettingsError("shards must be at least 1 and linger_s above 0")
        self._url, self._folder = find_queue(url, spool_dir, spool_bytes)
        self._source = source
        self._shards = shards
        self._linger_s = linger_s
        self._limits = limits or Limits()
        self._overflow = check_overflow(overflow)
        self._redact = redaction(redact)
        self._strict = strict
        self._closed = False
        self._reset()
        lifecycle.watch(self)

    def _reset(self) -> None:
        from activity_pipeline.producer.delivery import Delivery  # noqa: PLC0415

        self.producer = new_id()
        self._buffer = Buffer(self._limits, self._overflow)
        self._delivery = Delivery(
            self._buffer,
            self.producer,
            connect=self._connect,
            folder=self._folder,
            linger_s=self._linger_s,
            on_start=lifecycle.close_with_worker,
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
        wait: bool = False,
        timeout_s: float = WAIT_TIMEOUT_S,
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
            wait: Return only when Redis has accepted the event.
            timeout_s: With `wait`, how long for, in seconds.

        Raises:
            EventError: Only with `strict` or `wait`: the event was dropped; `reason` says why.
            DeliveryTimeoutError: Only with `wait`: the event is still on its way, or in the spool.
        """
        text_id = new_id() if event_id is None else str(event_id)
        try:
            if bound.get() is not None:
                entity_type, entity_id, user_id, status, metadata = fill(
                    entity_type, entity_id, user_id, status, metadata
                )
            line = encode_event(
                text_id, timestamp, self._source, action, entity_type, entity_id, user_id, status, metadata
            )
            if self._redact is not None:
                line = self._redact(line)
        except EventError as error:
            self._refuse(error, raises=wait)
            return text_id
        if wait:
            self._deliver(line, text_id, timeout_s)
        elif self._closed:
            self._refuse(dropped(DropReason.CLOSED))
        elif self._buffer.add(line):
            self._delivery.attend()
        return text_id

    def log_line(self, line: bytes) -> None:
        """Log an event that is already one NDJSON line; its bytes are looked at only to redact them.

        Args:
            line: The line, with or without its line ending. A broken one becomes a dead letter.

        Raises:
            EventError: Only with `strict`: the line is blank or several, or cannot be redacted.
        """
        line = line.rstrip(b"\r\n")
        try:
            if not line or line.isspace() or b"\n" in line:
                raise EventError("an event is exactly one line", reason=DropReason.NOT_ONE_LINE.value)
            if self._redact is not None:
                line = self._redact(line)
        except EventError as error:
            self._refuse(error)
            return
        if self._closed:
            self._refuse(dropped(DropReason.CLOSED))
        elif self._buffer.add(line):
            self._delivery.attend()

    def log_lines(self, lines: Sequence[bytes]) -> None:
        """Log many lines at the pace of the queue, for importers: waits while the memory is full.

        Args:
            lines: Events in order, each one NDJSON line without its line ending, together a few
                MiB at the most.
        """
        if self._closed or self._redact is not None:
            for line in lines:
                self.log_line(line)
        elif self._buffer.add_many(lines):
            self._delivery.attend()
        if not self._closed:
            buffer = self._buffer
            self._wait_for(lambda: buffer.size_bytes <= self._limits.buffer_bytes // 2, ROOM_TIMEOUT_S)

    def flush(self, timeout_s: float = WAIT_TIMEOUT_S) -> bool:
        """Wait until Redis has accepted everything logged so far, the spool included.

        Returns:
            False where `timeout_s` seconds were not enough. Nothing is lost then: it stays on its way.
        """
        return self._wait_for(self.start_flush(), 0 if self._closed else timeout_s)

    def start_flush(self) -> Callable[[], bool]:
        """Send on what was logged so far; return what tells whether Redis has accepted all of it."""
        buffer, delivery = self._buffer, self._delivery
        if self._closed:
            return lambda: buffer.buffered() == 0
        target = buffer.cut()
        delivery.retry_now()
        return lambda: buffer.accepted >= target and not delivery.adopting

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
        lifecycle.forget(self)
        self._buffer.cut()
        self._delivery.spill()
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
        return self._buffer.stats(self._delivery.circuit)

    @property
    def may_block(self) -> bool:
        """Whether the next `log` may wait for room: the memory is full, and `overflow` is `block`."""
        return self._overflow is Overflow.BLOCK and self._buffer.overfull

    def call_once(self, condition: Callable[[], bool], action: Callable[[], None]) -> Callable[[], None]:
        """Call `action`, in some thread, when the condition comes true; return how to call it off."""
        return self._buffer.call_once(condition, action)

    def _deliver(self, line: bytes, event_id: str, timeout_s: float) -> None:
        end = DropReason.CLOSED if self._closed else self._buffer.add_and_cut([line])
        if isinstance(end, DropReason):
            raise dropped(end)
        self._delivery.attend()
        buffer = self._buffer

        def accepted() -> bool:
            return buffer.accepted >= end

        if not self._wait_for(accepted, timeout_s):
            raise DeliveryTimeoutError(event_id=event_id, accepted=accepted)

    def _wait_for(self, condition: Callable[[], bool], timeout_s: float) -> bool:
        with self._buffer.changed:
            return self._buffer.changed.wait_for(condition, timeout_s)

    def _refuse(self, error: EventError, *, raises: bool = False) -> None:
        if self._buffer.drop(DropReason(error.reason)) and not self._closed:
            self._delivery.attend()
        if raises or self._strict:
            raise error

    def _connect(self) -> Transport:
        # Here because importing redis takes longer than the import of an application may.
        from activity_pipeline.producer.transport import RedisTransport  # noqa: PLC0415

        return RedisTransport(self._url, self._shards)

    def start_anew_after_fork(self) -> None:
        """In a forked child: the thread stayed in the parent, which delivers what was buffered before."""
        self._delivery.abandon()
        self._reset()
