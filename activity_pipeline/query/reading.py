"""Days in order, a few at a time, each from where its events are at that moment.

The days of a question are cut into stretches, the first a single day and each one six times as long as
the one before: what is frequent is found in the first, and what is rare costs few statements. Between
the question and the answer of a stretch its days may move from Postgres to Parquet, or back: so they are
looked at again afterwards, and where one has moved the stretch is read anew. An event that is in both
stores for a moment is one event, by its key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TypeAlias, TypeVar

import psycopg

from activity_pipeline.archive.analyst.search import ColdSearch, Question, Words
from activity_pipeline.errors import ArchiveError, BusyError
from activity_pipeline.events.days import span_of
from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot import activities as hot
from activity_pipeline.hot.activities import DayPlace, Key, Window
from activity_pipeline.query.answers import Event, event_of
from activity_pipeline.query.calls import Call
from activity_pipeline.query.lending import Connections, Held
from activity_pipeline.query.stretches import Span, Stretch, cut, span_asked

Found = TypeVar("Found")
Seen: TypeAlias = tuple[Found | None, Stretch]
"""An answer, None where it has to be looked for again, and where the days were after it."""

TRIES = 6
"""How often a stretch is read whose days move meanwhile: each time an archive run has got one further."""


@dataclass
class Reading:
    """A question under way.

    Attributes:
        connections: Lends a connection to Postgres.
        cold: The archive.
        filters: What events must be like.
        asked: Which part of time was asked for.
        span: As much of it as there are days.
        call: Whoever asked.
        places: The known days of the span, in order.
        read_days: How many of them were read.
        missing: Those whose archive could not be read.
    """

    connections: Held
    cold: ColdSearch
    filters: Filters
    asked: Span
    span: Span
    call: Call
    places: list[DayPlace]
    read_days: int = 0
    missing: set[date] = field(default_factory=set)
    _words: Words | None = None

    def page(self, order: Order, after: Key | None, limit: int) -> list[Event]:
        """Return the first events of the span in an order, after a key where one is given."""
        found: list[Event] = []
        if self.filters.is_hopeless:
            return found
        for stretch in self._stretches(order, after):
            wanted = limit - len(found)
            found += self._read(stretch, lambda part: self._events(part, order, after, wanted))  # noqa: B023
            if len(found) >= limit:
                break
        return found

    def count(self, limit: int) -> int:
        """Count the events of the span, up to a limit."""
        total = 0
        for stretch in self._stretches("newest", None) if not self.filters.is_hopeless else ():
            total += self._read(stretch, lambda part: self._count(part, limit - total))  # noqa: B023
            if total >= limit:
                break
        return min(total, limit)

    def count_values(self, limit: int) -> Counter[tuple[str, str]]:
        """Count the newest events of the span by field and value, about `limit` of them.

        The field `total` counts them all.
        """
        counted: Counter[tuple[str, str]] = Counter()
        for stretch in self._stretches("newest", None) if not self.filters.is_hopeless else ():
            left = limit - counted["total", ""]
            counted += self._read(stretch, lambda part: self._values(part, left))  # noqa: B023
            if counted["total", ""] >= limit:
                break
        return counted

    def places_after(self, order: Order, after: Key | None) -> list[DayPlace]:
        """Return the days that may hold what follows a key in an order, the earliest first."""
        first, last = self._days_after(order, after)
        return [place for place in self.places if first <= place.day <= last]

    def check_whole(self) -> None:
        """Make sure that nothing is missing.

        Raises:
            ArchiveError: The archive of some days could not be read.
        """
        if self.missing:
            raise ArchiveError(
                f"the archive of {min(self.missing)} cannot be read", days=sorted(self.missing)
            )

    def _days_after(self, order: Order, after: Key | None) -> tuple[date, date]:
        first, last = self.span.since.date(), (self.span.until - hot.INSTANT).date()
        if after is None:
            return first, last
        day = after.timestamp.date()
        return (first, min(last, day)) if order == "newest" else (max(first, day), last)

    def _stretches(self, order: Order, after: Key | None) -> Iterator[Stretch]:
        first, last = self._days_after(order, after)
        return cut(self.places_after(order, after), first, last, order)

    def _read(self, stretch: Stretch, ask: Callable[[Stretch], Seen[Found]]) -> Found:
        """Ask about a stretch until its days have stayed where they were while it was read."""
        for attempt in range(TRIES):
            self.call.check()
            unread: set[date] = set()
            answer: Found | None = None
            now: Stretch | None = None
            try:
                answer, now = ask(stretch)
            except psycopg.errors.UndefinedTable:
                # A partition was dropped while Postgres looked for it.
                pass
            except ArchiveError:
                # Once more: what it read may just have been replaced.
                if attempt == 0:
                    stretch = self._looked_at(stretch)
                    continue
                unread = self._unreadable(stretch)
                readable = [
                    replace(place, retired_generation=0) if place.day in unread else place
                    for place in stretch.places
                ]
                answer, now = ask(replace(stretch, places=readable))
            now = now or self._looked_at(stretch)
            if answer is not None and _where(now.places) == _where(stretch.places):
                self.missing |= unread
                self.read_days += len(now.places)
                return answer
            stretch = now
        raise BusyError("the days that are asked for move faster than they can be read")

    def _unreadable(self, stretch: Stretch) -> set[date]:
        """Return the days whose archive cannot be read: those that fail by themselves, else all of them."""
        cold = _cold(stretch)
        failing = set()
        for place in cold:
            day = Stretch(place.day, place.day, [place])
            try:
                self.cold.count([place], Question(Filters(), self._timed), self._whole(day), 1)
            except ArchiveError:
                failing.add(place.day)
        return failing or {place.day for place in cold}

    def _looked_at(self, stretch: Stretch) -> Stretch:
        with self.connections() as connection:
            return replace(stretch, places=hot.list_places(connection, stretch.first, stretch.last))

    def _events(self, stretch: Stretch, order: Order, after: Key | None, limit: int) -> Seen[list[Event]]:
        """Return the first events of a stretch; None where one has gone before it was looked up."""
        window = self._window(stretch, order, after)
        rows = dict(self.cold.rows(_cold(stretch), self._question(stretch), window, limit))
        with self.connections() as connection, self.call.running(connection.cancel_safe):
            keys = dict(hot.find_keys(connection, self.filters, window, limit, _tables(stretch)))
            first = sorted({*rows, *keys}, reverse=order == "newest")[:limit]
            wanted = [(key, keys[key]) for key in first if key not in rows]
            found, places = hot.fetch_rows(connection, wanted, stretch.first, stretch.last)
        rows |= found
        events = [event_of(rows[key]) for key in first] if rows.keys() >= set(first) else None
        return events, replace(stretch, places=places)

    def _count(self, stretch: Stretch, limit: int) -> Seen[int]:
        window = self._window(stretch)
        with self.connections() as connection, self.call.running(connection.cancel_safe):
            total = hot.count_events(connection, self.filters, window, limit, _tables(stretch))
        if total < limit:
            total += self.cold.count(_cold(stretch), self._question(stretch), window, limit - total)
        return total, self._looked_at(stretch)

    def _values(self, stretch: Stretch, limit: int) -> Seen[Counter[tuple[str, str]]]:
        window = self._window(stretch)
        with self.connections() as connection, self.call.running(connection.cancel_safe):
            rows = hot.count_values(connection, self.filters, window, limit, _tables(stretch))
        rows += self.cold.count_values(_cold(stretch), self._question(stretch), window, limit)
        counted: Counter[tuple[str, str]] = Counter()
        for name, value, count in rows:
            if name == "total":
                counted[name, ""] += count
            elif value is not None:
                counted[name, value] += count
        return counted, self._looked_at(stretch)

    def _window(self, stretch: Stretch, order: Order = "newest", after: Key | None = None) -> Window:
        whole = self._whole(stretch)
        is_sealed = bool(stretch.places) and not any(place.is_open for place in stretch.places)
        since, until = max(whole.since, self.span.since), min(whole.until, self.span.until)
        return Window(since, until, order, after, is_sealed)

    def _whole(self, stretch: Stretch) -> Window:
        return Window(*span_of([stretch.first, stretch.last]))

    def _question(self, stretch: Stretch) -> Question:
        text = self.filters.text
        if text is not None and self._words is None and _cold(stretch):
            with self.connections() as connection:
                lexemes = hot.lexemes_of(connection, text)
            self._words = Words([_stem(lexeme) for lexeme in lexemes], self._judge)
        if _cold(stretch):
            # Others may have it while DuckDB is at work.
            self.connections.release()
        return Question(self.filters, self._timed, self._words)

    def _timed(self, interrupt: Callable[[], None]) -> AbstractContextManager[None]:
        return self.call.running(interrupt, is_timed=True)

    def _judge(self, texts: Sequence[tuple[str, str | None]]) -> list[bool]:
        with self.connections() as connection:
            return hot.texts_match(connection, self.filters.text or "", texts)


def open_reading(
    connections: Connections,
    cold: ColdSearch,
    filters: Filters,
    call: Call,
    span: Span | None = None,
) -> Reading:
    """Begin with a question: find out which days it is about.

    Args:
        connections: Lends a connection to Postgres.
        cold: The archive.
        filters: What events must be like.
        call: Whoever asked.
        span: Which part of time, where a cursor says so; by default what the filters say.
    """
    asked = span or span_asked(filters)
    held = Held(connections)
    places: list[DayPlace] = []
    if asked.since < asked.until:
        with held() as connection:
            places = hot.list_places(connection, asked.since.date(), (asked.until - hot.INSTANT).date())
    if not places:
        return Reading(held, cold, filters, asked, Span(asked.since, asked.since), call, [])
    # Nothing lies outside of the known days.
    start, end = span_of([places[0].day, places[-1].day])
    known = Span(max(asked.since, start), min(asked.until, end))
    return Reading(held, cold, filters, asked, known, call, places)


def _where(places: Sequence[DayPlace]) -> list[tuple[date, int, bool]]:
    return [place.place for place in places]


def _cold(stretch: Stretch) -> list[DayPlace]:
    return [place for place in stretch.places if place.is_cold]


def _tables(stretch: Stretch) -> list[str]:
    """Return the tables that may hold events of a stretch."""
    current, late, restored = hot.TABLES
    return [current, late, *([restored] if any(place.is_restored for place in stretch.places) else [])]


def _stem(lexeme: str) -> str:
    """Return how any word begins of which this may be the stem.

    The Snowball stemmer takes endings off, and changes at most the last letter of what remains (happy,
    happi); of the words that it knows one by one, those in -ying (dying, die) keep the first letter alone.
    """
    return lexeme[: max(1, len(lexeme) - 1)] if len(lexeme) > 3 else lexeme[:1]
