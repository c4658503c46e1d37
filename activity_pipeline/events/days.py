"""Days: the unit in which events are partitioned, archived, counted and judged. Always UTC."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, datetime, time, timedelta

from activity_pipeline.errors import SettingsError

ONE_DAY = timedelta(days=1)


def today() -> date:
    """Return the current UTC day."""
    return datetime.now(UTC).date()


def hot_since(now: date, hot_days: int) -> date:
    """Return the first day of the hot window: `hot_days` days that end with `now`."""
    return now - timedelta(days=hot_days - 1)


def day_range(first: date, last: date) -> Iterator[date]:
    """Yield each day from `first` to `last`, both included."""
    for offset in range((last - first).days + 1):
        yield first + timedelta(days=offset)


def span_of(days: Collection[date]) -> tuple[datetime, datetime]:
    """Return the first instant of the first of some days, and the first one after the last of them."""
    return (
        datetime.combine(min(days), time.min, UTC),
        datetime.combine(max(days) + ONE_DAY, time.min, UTC),
    )


def parse_days(text: str) -> tuple[date, date]:
    """Read `2026-03-01` or `2026-03-01..2026-03-31` as a first and a last day, both included.

    Raises:
        SettingsError: The text is neither form, or the last day lies before the first.
    """
    first_text, dots, last_text = text.partition("..")
    try:
        first = date.fromisoformat(first_text)
        last = date.fromisoformat(last_text) if dots else first
    except ValueError:
        raise SettingsError(f"days are written 2026-03-01 or 2026-03-01..2026-03-31, not {text!r}") from None
    if last < first:
        raise SettingsError(f"the range {text} ends before it starts")
    return first, last


def ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    """Fold days into as few unbroken ranges as possible, each (first, last), in order."""
    folded: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if folded and day - folded[-1][1] == ONE_DAY:
            folded[-1] = (folded[-1][0], day)
        else:
            folded.append((day, day))
    return folded
