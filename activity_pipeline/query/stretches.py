"""Parts of time, and the days in them cut into stretches that are read together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

from activity_pipeline.events.days import ONE_DAY
from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot.activities import DayPlace

GROWTH = 6
"""How much longer each stretch is than the one before."""


@dataclass(frozen=True, slots=True)
class Span:
    """A part of time, both instants known."""

    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days that are read together.

    Attributes:
        first: The first day, whether it is known or not.
        last: The last one.
        places: The known ones between them.
    """

    first: date
    last: date
    places: Sequence[DayPlace]


def cut(places: Sequence[DayPlace], first: date, last: date, order: Order) -> Iterator[Stretch]:
    """Cut days into stretches, in an order; no gap is between them.

    Args:
        places: The known days, the earliest first.
        first: The first day, whether it is known or not.
        last: The last one.
        order: In which order.
    """
    within = list(places)
    if order == "newest":
        within.reverse()
    starts, size = [0], 1
    while starts[-1] < len(within):
        starts.append(starts[-1] + size)
        size *= GROWTH
    for start, end in pairwise(starts):
        days = within[start:end]
        edge = within[end].day if end < len(within) else None
        # What lies between this stretch and the next, where new days may turn up, belongs to this one.
        if order == "newest":
            begin = edge + ONE_DAY if edge else first
            yield Stretch(begin, last, days[::-1])
            last = begin - ONE_DAY
        else:
            end_day = edge - ONE_DAY if edge else last
            yield Stretch(first, end_day, days)
            first = end_day + ONE_DAY


def span_asked(filters: Filters) -> Span:
    """Return the part of time that filters ask for, as of now."""
    since = filters.since
    if isinstance(since, timedelta):
        since = datetime.now(UTC) - since
    # Dates that Python has in any time zone.
    earliest, latest = datetime(1, 1, 2, tzinfo=UTC), datetime(9999, 12, 30, tzinfo=UTC)
    until = filters.until or latest
    return Span(min(max(since or earliest, earliest), latest), min(max(until, earliest), latest))
