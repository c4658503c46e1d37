"""Answers, kept where there is a cache, and what they say of the pipeline at the moment they are given."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from typing import TypeVar

import msgspec

from activity_pipeline.hot.activities import DayPlace
from activity_pipeline.query.answers import Completeness, Count, Facets, Page
from activity_pipeline.query.cache import OPEN_TTL_S, SETTLED_TTL_S, AnswerCache, Hits
from activity_pipeline.query.health import Health, HealthWatch
from activity_pipeline.query.reading import Reading

Answer = TypeVar("Answer", Page, Count, Facets)


class _Kept(msgspec.Struct, frozen=True):
    """An answer as the cache has it.

    Attributes:
        answer: The answer.
        open_days: The open days that it is about, with their revisions when it was found.
    """

    answer: msgspec.Raw
    open_days: dict[date, int]


class Keeper:
    """Has answers found, or returns those that are kept. For many threads."""

    def __init__(self, cache: AnswerCache | None = None, health: HealthWatch | None = None) -> None:
        """Take where answers are kept, and who knows about the pipeline."""
        self._cache = cache
        self._health = health

    @property
    def hits(self) -> Hits | None:
        """How often answers were in the cache; None where there is none."""
        return self._cache.hits if self._cache else None

    def close(self) -> None:
        """Close what it holds."""
        if self._health:
            self._health.close()
        if self._cache:
            self._cache.close()

    def seen(self, completeness: Completeness) -> Completeness:
        """Return what is known of an answer, with what is known of the pipeline now."""
        health = self._health.seen() if self._health else Health()
        return msgspec.structs.replace(
            completeness,
            queue=health.queue,
            ledger_residual=health.residual,
            ledger_at=health.ledger_at,
        )

    def answer(
        self,
        key: Sequence[object],
        reading: Reading,
        places: Sequence[DayPlace],
        kind: type[Answer],
        make: Callable[[], Answer],
    ) -> Answer:
        """Return an answer.

        Args:
            key: What is asked.
            reading: The question under way.
            places: The days that it may be about.
            kind: Page, Count or Facets.
            make: Finds it.
        """
        if self._cache is None:
            found = make()
            return msgspec.structs.replace(found, completeness=self.seen(found.completeness))
        open_days = {place.day: place.revision for place in places if place.is_open}
        # A range that is relative to now moves on, as an open day does.
        is_moving = bool(open_days) or isinstance(reading.filters.since, timedelta)
        versions = [(place.place, place.revision) for place in places if not place.is_open]
        name = hashlib.sha256(msgspec.json.encode([key, list(open_days), versions])).hexdigest()

        def find() -> tuple[bytes, float]:
            found = make()
            kept = _Kept(msgspec.Raw(msgspec.json.encode(found)), open_days)
            ttl_s = OPEN_TTL_S if is_moving else SETTLED_TTL_S
            # What could not be read now may be there again in a moment.
            return msgspec.json.encode(kept), 0.0 if found.completeness.missing else ttl_s

        # Somebody else may be finding it.
        reading.connections.release()
        raw, was_there = self._cache.get(name, find)
        kept = msgspec.json.decode(raw, type=_Kept)
        found = msgspec.json.decode(kept.answer, type=kind)
        known = msgspec.structs.replace(
            found.completeness,
            stale=[day for day, revision in open_days.items() if kept.open_days.get(day) != revision],
        )
        return msgspec.structs.replace(
            found, completeness=self.seen(known), cache="hit" if was_there else "miss"
        )
