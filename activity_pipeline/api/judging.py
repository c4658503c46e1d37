"""The drain's own verdict on events before they are queued.

Judging a thousand lines takes DuckDB hardly longer than one (25 and 17 ms: most of it is planning), so
lines that come in while others are being judged wait and are judged together.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pyarrow as pa

from activity_pipeline.events.judge import judge
from activity_pipeline.events.model import REASON_TEXT, DeadLetterReason, Rules

MOST_LINES = 20_000
"""Lines that are judged together; those of one request always are."""

UUID_V7 = 7
_NEEDS_TIMESTAMP = "an id that is no UUIDv7 has no time of its own: it needs a timestamp, to be stored once"
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Judged:
    """A line and what becomes of it.

    Attributes:
        line: Its bytes.
        reason: Why it is refused; None for a good one.
        detail: The same in words.
        id: Of a good one, where it has an id.
        timestamp: Of a good one: its own, that in its id (UUIDv7), or when it came.
        source: Of a good one.
        user_id: Of a good one, where it has a user.
        is_complete: Whether the line itself has id and timestamp.
    """

    line: bytes
    reason: DeadLetterReason | None
    detail: str = ""
    id: UUID | None = None
    timestamp: datetime | None = None
    source: str = ""
    user_id: UUID | None = None
    is_complete: bool = False


def refused(line: bytes, reason: DeadLetterReason, detail: str = "") -> Judged:
    """Return the verdict that refuses a line."""
    return Judged(line, reason, detail or REASON_TEXT[reason])


class _Head(msgspec.Struct):
    id: str | None = None
    timestamp: str | None = None


@dataclass(slots=True)
class _Waiting:
    lines: Sequence[bytes]
    verdict: asyncio.Future[list[Judged]]
    came_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Judging:
    """Judges what requests bring, several at once. For one event loop."""

    def __init__(self, rules: Rules) -> None:
        """Take the rules that the drain has."""
        self._rules = rules
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None

    async def judge(self, lines: Sequence[bytes]) -> list[Judged]:
        """Return a verdict on each line, in order."""
        waiting = _Waiting(lines, asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        if self._working is None or self._working.done():
            self._working = asyncio.create_task(self._work())
        return await waiting.verdict

    async def _work(self) -> None:
        while self._waiting:
            taken = [self._waiting.pop(0)]
            count = len(taken[0].lines)
            while self._waiting and count + len(self._waiting[0].lines) <= MOST_LINES:
                taken.append(self._waiting.pop(0))
                count += len(taken[-1].lines)
            try:
                await self._judge_together(taken)
            except Exception:
                # Nobody shall fail for what another one sent.
                for each in taken:
                    await self._judge_alone(each)

    async def _judge_together(self, taken: Sequence[_Waiting]) -> None:
        came = [(line, each.came_at) for each in taken for line in each.lines]
        judged = iter(await asyncio.to_thread(judge_lines, came, self._rules))
        for each in taken:
            verdict = [next(judged) for _ in each.lines]
            if not each.verdict.done():  # else the client has left
                each.verdict.set_result(verdict)

    async def _judge_alone(self, each: _Waiting) -> None:
        try:
            await self._judge_together([each])
        except Exception as error:
            if not each.verdict.done():
                each.verdict.set_exception(error)


def judge_lines(came: Sequence[tuple[bytes, datetime]], rules: Rules) -> list[Judged]:
    """Judge lines, each with the instant at which it came, by the rules of the drain and two more.

    An id without a timestamp must be a UUIDv7, which has a time of its own: else the same event sent
    twice would be two. What is not JSON to the letter (NaN) Postgres would refuse, so it is refused here.
    """
    judged: list[Judged | None] = [None] * len(came)
    texts: list[str] = []
    instants: list[datetime] = []
    places: list[int] = []
    heads: list[_Head] = []
    for place, (line, at) in enumerate(came):
        try:
            text = line.decode()
        except UnicodeDecodeError:
            judged[place] = refused(line, DeadLetterReason.NOT_UTF8)
            continue
        head = _head(line)
        texts.append(text)
        places.append(place)
        heads.append(head)
        instants.append(at if head.id is None or head.timestamp else _time_of(head.id) or at)
    verdicts = judge(
        pa.table(
            {
                "line": pa.array(texts, pa.string()),
                "received_at": pa.array(instants, pa.timestamp("us", tz="UTC")),
                "entry_id": pa.array([""] * len(texts), pa.string()),
                "line_number": pa.array(range(len(texts)), pa.int32()),
            }
        ),
        rules,
        shard=0,
        now=datetime.now(UTC),
    )
    for number, reason in zip(
        verdicts.refused_positions.to_pylist(), verdicts.refused_reasons.to_pylist(), strict=True
    ):
        place = places[number]
        judged[place] = refused(came[place][0], DeadLetterReason(reason))
    columns = verdicts.events.select(["id", "timestamp", "source", "user_id"]).to_pylist()
    for number, event in zip(verdicts.event_positions.to_pylist(), columns, strict=True):
        place = places[number]
        judged[place] = _good(came[place][0], heads[number], event)
    return [each for each in judged if each is not None]


def _good(line: bytes, head: _Head, event: dict[str, object]) -> Judged:
    if head.id is not None and head.timestamp is None and _time_of(head.id) is None:
        return refused(line, DeadLetterReason.MISSING_FIELD, _NEEDS_TIMESTAMP)
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, RecursionError):
        return refused(line, DeadLetterReason.METADATA_REFUSED)
    fields = msgspec.convert({**event, "id": event["id"] if head.id else None}, _Event)
    complete = head.id is not None and head.timestamp is not None
    return Judged(line, None, "", fields.id, fields.timestamp, fields.source, fields.user_id, complete)


class _Event(msgspec.Struct):
    id: UUID | None
    timestamp: datetime
    source: str
    user_id: UUID | None


def _head(line: bytes) -> _Head:
    try:
        return msgspec.json.decode(line, type=_Head)
    except (msgspec.DecodeError, RecursionError):
        return _Head()  # the judge says why


def _time_of(text: str) -> datetime | None:
    """Return the time in a UUIDv7 (RFC 9562, section 5.7), None where an id has none."""
    try:
        event_id = UUID(text)
    except ValueError:
        return None
    if event_id.version != UUID_V7:
        return None
    milliseconds = event_id.int >> 80
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError):
        return _LATEST
