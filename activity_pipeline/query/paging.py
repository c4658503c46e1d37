"""One page of a question: from where to where, and the cursors of those beside it."""

from __future__ import annotations

from dataclasses import dataclass

from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot.activities import Key
from activity_pipeline.query.answers import Completeness, Event, Page
from activity_pipeline.query.cursors import VERSION, Cursor, Direction, microseconds
from activity_pipeline.query.reading import Reading


@dataclass(frozen=True, slots=True)
class Asked:
    """A page that is asked for."""

    filters: Filters
    order: Order
    limit: int
    cursor: Cursor | None
    question: str

    @property
    def is_back(self) -> bool:
        """Whether it lies before the cursor."""
        return self.cursor is not None and self.cursor.direction == "previous"

    @property
    def start(self) -> tuple[Order, Key | None]:
        """In which order to read, and after which key."""
        opposite: Order = "oldest" if self.order == "newest" else "newest"
        return opposite if self.is_back else self.order, self.cursor.key if self.cursor else None


def page_of(reading: Reading, asked: Asked) -> Page:
    """Find a page."""
    is_back = asked.is_back
    events = reading.page(*asked.start, asked.limit + 1)
    has_more = len(events) > asked.limit
    events = events[: asked.limit]
    if is_back:
        events.reverse()

    def mark(event: Event, direction: Direction) -> str:
        return Cursor(
            version=VERSION,
            direction=direction,
            at_us=microseconds(event.timestamp),
            id=event.id,
            since_us=microseconds(reading.asked.since),
            until_us=microseconds(reading.asked.until),
            question=asked.question,
        ).encode()

    has_next, has_previous = (True, has_more) if is_back else (has_more, asked.cursor is not None)
    return Page(
        events=events,
        next=mark(events[-1], "next") if events and has_next else None,
        previous=mark(events[0], "previous") if events and has_previous else None,
        completeness=completeness_of(reading),
    )


def completeness_of(reading: Reading) -> Completeness:
    """Return what a question under way knows of how complete it is."""
    places = reading.places
    return Completeness(
        first=places[0].day if places else None,
        last=places[-1].day if places else None,
        days=len(places),
        read_days=reading.read_days,
        missing=sorted(reading.missing),
        stale=[],
    )
