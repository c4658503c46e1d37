"""Replay: dead letters are judged by today's rules, and stored where they pass.

It happens in Postgres alone, a chunk a transaction: the letters are locked, their events stored by
the drain's own writer, the letters closed and the ledger's figures moved. A crash leaves a chunk
replayed or untouched, and two replays at once take turns.

An event keeps its id and its timestamp. One that was sent without gets what the drain would have
given it: an id made of its place in the queue, and the time at which the queue took it. So a replay
after all of a producer's second attempt is a duplicate, not a second event.

A letter that is a whole queue entry is opened anew; its lines that do not pass become letters of
their own. Lines mended by hand stand for the whole entry, so there must be at least as many as the
events it was counted for.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import TypeVar

import adbc_driver_manager

from activity_pipeline.events.days import hot_since, today
from activity_pipeline.events.model import Rules
from activity_pipeline.hot import days as hot_days
from activity_pipeline.hot.batch import Stored
from activity_pipeline.hot.connection import BulkConnection, Statements, gave_way, open_hot
from activity_pipeline.hot.dead_letters import Selection, claim_open, close, read_dead_letters
from activity_pipeline.hot.writer import KnownInArchive
from activity_pipeline.ingest.config import DrainConfig
from activity_pipeline.ingest.rejudge import Judged, Mended, rejudge
from activity_pipeline.settings import Settings

Item = TypeVar("Item")
LETTERS_PER_CHUNK = 2000
BYTES_PER_CHUNK = 32 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class ReplayConfig:
    """How to replay.

    Attributes:
        postgres_dsn: Where the dead letters are.
        rules: What an event may be, today.
        hot_days: Days that stay hot, today included.
    """

    postgres_dsn: str
    rules: Rules
    hot_days: int

    @classmethod
    def of(cls, settings: Settings) -> ReplayConfig:
        """Take what concerns a replay from the settings."""
        return cls(settings.postgres_dsn, DrainConfig.of(settings).rules, settings.hot_days)


@dataclass(slots=True)
class ReplayReport:
    """What a replay did.

    Attributes:
        replayed: Letters closed.
        inserted: New events by day.
        duplicate: Events stored before, by day.
        new_letters: Lines of opened entries that became letters of their own.
        refused: Why each of the others stays open, by number.
        not_open: Numbers asked for that are unknown, closed, or in another replay's hands.
    """

    replayed: int = 0
    inserted: Counter[date] = field(default_factory=Counter)
    duplicate: Counter[date] = field(default_factory=Counter)
    new_letters: int = 0
    refused: dict[int, str] = field(default_factory=dict)
    not_open: list[int] = field(default_factory=list)

    @property
    def new_rows(self) -> dict[date, int]:
        """How many new events each of the touched days got."""
        return {day: self.inserted[day] for day in self.touched_days}

    @property
    def touched_days(self) -> list[date]:
        """Days that got new events, in order."""
        return sorted(day for day, count in self.inserted.items() if count)

    def add(self, judged: Judged, stored: Stored, not_open: Iterable[int]) -> None:
        """Count one more chunk."""
        self.replayed += len(judged.closed)
        self.inserted.update(stored.inserted)
        self.duplicate.update(stored.duplicate)
        self.new_letters += stored.dead_lettered
        self.refused.update(judged.refused)
        self.not_open += not_open


def replay_stored(
    config: ReplayConfig, selection: Selection, known_in_archive: KnownInArchive
) -> ReplayReport:
    """Send the bytes of dead letters again as they are; those refused again get their present reason.

    Args:
        config: Where and how.
        selection: Which of the open ones.
        known_in_archive: Tells which late events the archive holds already.

    Raises:
        StoreError: Postgres does not answer, or went away; chunks that were committed stay.
    """
    with open_hot(config.postgres_dsn) as (statements, bulk):
        found = read_dead_letters(statements, selection, line_bytes=0)
        # All of them before the first is replayed: a line that is refused anew would come up again.
        # An entry may inflate to more than a chunk should hold.
        sized: list[tuple[tuple[int, Mended], int]] = [
            ((each.id, None), BYTES_PER_CHUNK if each.is_entry else each.size_bytes) for each in found
        ]
        report = ReplayReport(
            not_open=sorted({*(selection.ids or ())} - {number for (number, _), _ in sized})
        )
        for chunk in _chunks(sized):
            _replay_chunk(config, statements, bulk, chunk, known_in_archive, report)
    return report


def replay_mended(
    config: ReplayConfig, mended: Iterable[tuple[int, list[bytes]]], known_in_archive: KnownInArchive
) -> ReplayReport:
    """Send other lines in the place of dead letters; those refused stay as they are.

    Args:
        config: Where and how.
        mended: Numbers of open letters, each with its lines without newlines.
        known_in_archive: Tells which late events the archive holds already.

    Raises:
        StoreError: Postgres does not answer, or went away; chunks that were committed stay.
    """
    report = ReplayReport()
    with open_hot(config.postgres_dsn) as (statements, bulk):
        sized = ((one, sum(map(len, one[1]))) for one in mended)
        for chunk in _chunks(sized):
            _replay_chunk(config, statements, bulk, chunk, known_in_archive, report)
    return report


def _replay_chunk(
    config: ReplayConfig,
    statements: Statements,
    bulk: BulkConnection,
    letters: Sequence[tuple[int, Mended]],
    known_in_archive: KnownInArchive,
    report: ReplayReport,
) -> None:
    lines = dict(letters)
    while True:
        try:
            claimed = claim_open(bulk, list(lines))
            judged = rejudge([(letter, lines[letter.id]) for letter in claimed], config.rules, statements)
            if judged.batch is not None:
                since = hot_since(today(), config.hot_days)
                hot_days.ensure_days(statements, judged.batch.days, hot_since=since)
            stored = close(bulk, judged.closed, judged.batch, judged.refused_as_stored, known_in_archive)
        except adbc_driver_manager.Error as error:
            bulk.rollback()
            # A drain's batch locks the same days and producers in another order.
            if not gave_way(error):
                raise
        else:
            report.add(judged, stored, sorted({*lines} - {letter.id for letter in claimed}))
            return


def _chunks(sized: Iterable[tuple[Item, int]]) -> Iterator[list[Item]]:
    """Cut items into chunks of a bounded number and size in bytes; a large one makes its own."""
    chunk: list[Item] = []
    total_bytes = 0
    for item, size_bytes in sized:
        if chunk and (len(chunk) == LETTERS_PER_CHUNK or total_bytes + size_bytes > BYTES_PER_CHUNK):
            yield chunk
            chunk, total_bytes = [], 0
        chunk.append(item)
        total_bytes += size_bytes
    if chunk:
        yield chunk
