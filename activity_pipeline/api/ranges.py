"""Ranges of days that requests name."""

from __future__ import annotations

from datetime import date

from activity_pipeline.api.problems import refusal
from activity_pipeline.api.schemas import DayRange
from activity_pipeline.events.days import ONE_DAY, today

MOST_DAYS = 3660


def checked(
    query: DayRange, *, default_days: int = MOST_DAYS, most_days: int = MOST_DAYS
) -> tuple[date, date]:
    """Return the first and last day of a request.

    Args:
        query: The request's; what it leaves open is `default_days` days, the newest ones.
        default_days: How many days without a first one.
        most_days: How many days there may be.

    Raises:
        RequestError: The range ends before it starts, or is too long.
    """
    last = query.last or max(today(), query.first or date.min)
    # Close to the first day of all there are no days before.
    first = query.first or date.fromordinal(max(1, last.toordinal() - default_days + 1))
    if last < first:
        raise _wrong("The range ends before it starts.")
    if (last - first) / ONE_DAY >= most_days:
        raise _wrong(f"The range is longer than {most_days:,} days.")
    return first, last


def _wrong(what: str) -> Exception:
    return refusal("invalid-parameters", what, errors=[{"where": "query.first", "what": what}])
