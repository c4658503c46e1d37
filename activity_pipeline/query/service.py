"""ActivityQuery: one question over everything that is stored, whoever holds it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from activity_pipeline.archive.analyst.search import ColdSearch
from activity_pipeline.archive.store import ArchiveStore
from activity_pipeline.errors import QuestionError
from activity_pipeline.events.days import ONE_DAY
from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot.activities import INSTANT, Key
from activity_pipeline.hot.connection import connect
from activity_pipeline.query.answers import (
    COUNT_LIMIT,
    Around,
    Count,
    Event,
    Facets,
    FacetValue,
    Neighbours,
    Page,
)
from activity_pipeline.query.cache import Hits, open_cache
from activity_pipeline.query.calls import Call
from activity_pipeline.query.cursors import decode, instant, question_of
from activity_pipeline.query.health import HealthWatch
from activity_pipeline.query.keeping import Keeper
from activity_pipeline.query.lending import Connections
from activity_pipeline.query.paging import Asked, completeness_of, page_of
from activity_pipeline.query.reading import Reading, open_reading
from activity_pipeline.query.stretches import Span
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.settings import Settings

MOST_EVENTS = 1_000
"""Events of a page."""

STREAM_EVENTS = 2_000
"""Events that a stream reads at a time."""

STREAM_TIMEOUT_S = 3600.0
FACET_VALUES = 20
NEAR = timedelta(days=30)
"""How far away a neighbour may be."""

CLOSE_BY = timedelta(seconds=2)
"""How far an event's timestamp is from that in its id, where it was logged as it happened."""


class ActivityQuery:
    """Answers questions about events. For many threads."""

    def __init__(
        self,
        connections: Connections,
        cold: ColdSearch,
        keeper: Keeper,
    ) -> None:
        """Take where events are.

        Args:
            connections: Lends a connection to Postgres that commits each statement.
            cold: The archive.
            keeper: Keeps answers.
        """
        self._connections = connections
        self._cold = cold
        self._keeper = keeper

    @property
    def hits(self) -> Hits | None:
        """How often answers were in the cache; None where there is none."""
        return self._keeper.hits

    def close(self) -> None:
        """Close the cache and what looks at the pipeline's health."""
        self._keeper.close()

    def get_activities(
        self,
        filters: Filters,
        cursor: str | None = None,
        limit: int = 50,
        *,
        order: Order = "newest",
        call: Call | None = None,
    ) -> Page:
        """Return a page of events.

        Args:
            filters: What events must be like.
            cursor: That of an earlier page of the same question.
            limit: Events at the most, up to MOST_EVENTS.
            order: The newest or the oldest first.
            call: Whoever asks, who may give up.

        Raises:
            QuestionError: A filter, the cursor or the limit is wrong.
            StoreError: Postgres does not answer.
            BusyError: Too many ask, or it takes too long.
            CancelledError: The call was given up.
        """
        filters.check()
        if not 1 <= limit <= MOST_EVENTS:
            raise QuestionError(f"a page has 1 to {MOST_EVENTS:,} events", field="limit")
        question = question_of(filters, order)
        asked = Asked(filters, order, limit, decode(cursor, question) if cursor else None, question)
        span = None
        if asked.cursor:
            span = Span(instant(asked.cursor.since_us), instant(asked.cursor.until_us))
        key = ["page", question, cursor, limit]
        with self._open(filters, call, span) as reading:
            concerned = reading.places_after(*asked.start)
            return self._keeper.answer(key, reading, concerned, Page, lambda: page_of(reading, asked))

    def count(self, filters: Filters, *, call: Call | None = None) -> Count:
        """Count events, exactly up to COUNT_LIMIT; raises what `get_activities` does."""
        filters.check()

        def make(reading: Reading) -> Count:
            counted = reading.count(COUNT_LIMIT + 1)
            return Count(
                value=min(counted, COUNT_LIMIT),
                relation="eq" if counted <= COUNT_LIMIT else "gte",
                completeness=completeness_of(reading),
            )

        key = ["count", question_of(filters, "newest")]
        with self._open(filters, call) as reading:
            return self._keeper.answer(key, reading, reading.places, Count, lambda: make(reading))

    def facets(self, filters: Filters, *, call: Call | None = None) -> Facets:
        """Return the most frequent values of the newest events; raises what `get_activities` does."""
        filters.check()

        def make(reading: Reading) -> Facets:
            counted = reading.count_values(COUNT_LIMIT + 1)
            total = counted.pop(("total", ""), 0)
            facets: dict[str, list[FacetValue]] = {}
            for (name, value), count in sorted(counted.items(), key=lambda each: (-each[1], each[0])):
                values = facets.setdefault(name, [])
                if len(values) < FACET_VALUES:
                    values.append(FacetValue(value=value, count=count))
            return Facets(
                facets=facets,
                value=total,
                relation="eq" if total <= COUNT_LIMIT else "gte",
                completeness=completeness_of(reading),
            )

        key = ["facets", question_of(filters, "newest")]
        with self._open(filters, call) as reading:
            return self._keeper.answer(key, reading, reading.places, Facets, lambda: make(reading))

    def get_activity(
        self,
        event_id: UUID,
        *,
        timestamp: datetime | None = None,
        filters: Filters | None = None,
        call: Call | None = None,
    ) -> Event | None:
        """Return one event, None where there is none.

        Args:
            event_id: Its id. A UUIDv7 says about when it was; for another one every day is looked through.
            timestamp: When it was, if that is known.
            filters: What it must be like to be seen.
            call: Whoever asks.
        """
        wanted = replace(filters or Filters(), event_id=event_id)
        call = call or Call()
        for since, until in _when(event_id, timestamp):
            with self._open(replace(wanted, since=since, until=until), call) as reading:
                found = reading.page("newest", None, 1)
            if found:
                return found[0]
        return None

    def neighbours(
        self,
        event_id: UUID,
        *,
        timestamp: datetime | None = None,
        filters: Filters | None = None,
        limit: int = 10,
        call: Call | None = None,
    ) -> Neighbours | None:
        """Return an event with the nearest ones of its entity and of its user, None where there is none.

        Args:
            event_id: As in `get_activity`.
            timestamp: As in `get_activity`.
            filters: What all of them must be like to be seen.
            limit: Events before and after it, each; they are NEAR at the most.
            call: Whoever asks.
        """
        call = call or Call()
        event = self.get_activity(event_id, timestamp=timestamp, filters=filters, call=call)
        if event is None:
            return None
        near = replace(filters or Filters(), since=event.timestamp - NEAR, until=event.timestamp + NEAR)

        def around(reading: Reading, filters: Filters) -> Around:
            part = replace(reading, filters=filters)
            before = part.page("newest", event.key, limit)
            return Around(before=before[::-1], after=part.page("oldest", event.key, limit))

        entity = user = None
        with self._open(near, call) as reading:
            if event.entity_id is not None:
                same = replace(near, entity_type=event.entity_type, entity_id=event.entity_id)
                entity = around(reading, same)
            if event.user_id is not None:
                user = around(reading, replace(near, users=(event.user_id,)))
            completeness = self._keeper.seen(completeness_of(reading))
        return Neighbours(event=event, entity=entity, user=user, completeness=completeness)

    def stream(
        self, filters: Filters, *, order: Order = "newest", call: Call | None = None
    ) -> Iterator[list[Event]]:
        """Yield all events, some at a time, as they are stored while they are read.

        Raises:
            QuestionError: A filter is wrong; before the first events.
            ArchiveError: A day's archive cannot be read: a stream has nowhere to say that it lacks something.
        """
        filters.check()
        with self._open(filters, call or Call(STREAM_TIMEOUT_S)) as reading:
            after: Key | None = None
            while True:
                events = reading.page(order, after, STREAM_EVENTS)
                reading.check_whole()
                # Whoever reads it may be slow, or go on in another thread.
                reading.connections.release()
                if events:
                    yield events
                if len(events) < STREAM_EVENTS:
                    return
                after = events[-1].key

    @contextlib.contextmanager
    def _open(self, filters: Filters, call: Call | None, span: Span | None = None) -> Iterator[Reading]:
        reading = open_reading(self._connections, self._cold, filters, call or Call(), span)
        try:
            yield reading
        finally:
            reading.connections.release()


def _when(event_id: UUID, timestamp: datetime | None) -> Iterator[tuple[datetime | None, datetime | None]]:
    """Yield ranges in which an event may be, the likeliest and shortest first."""
    if timestamp is not None:
        yield timestamp, timestamp + INSTANT
        return
    if event_id.version == 7:
        at = instant((event_id.int >> 80) * 1000)
        yield at - CLOSE_BY, at + CLOSE_BY
        yield at - ONE_DAY, at + ONE_DAY
    yield None, None


@contextlib.contextmanager
def open_query(settings: Settings, connections: Connections | None = None) -> Iterator[ActivityQuery]:
    """Open what questions need, and close it at the end.

    Args:
        settings: Where Postgres, Redis and the archive are.
        connections: Lends connections to Postgres; by default each is a new one.
    """
    lend: Connections = connections or (lambda: connect(settings.postgres_dsn))
    cold = ColdSearch(ArchiveStore(settings.archive_root))
    with contextlib.closing(connect_queue(settings.redis_url)) as queue:
        health = HealthWatch(lend, queue, settings.queue_shards)
        query = ActivityQuery(lend, cold, Keeper(open_cache(settings), health))
        try:
            yield query
        finally:
            query.close()
            cold.close()
