"""From a verdict to what a person reads: severity and one sentence."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Final, assert_never

import polars as pl

from activity_pipeline.anomalies.model import ANOMALY_SCHEMA, DAYS_OF_WEEK, Kind, Severity

_MANY_EVENTS: Final = 50
_SMALLEST_SHOWN_SHARE: Final = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One anomaly: columns of `ANOMALY_SCHEMA`, and what else its sentence tells.

    Attributes:
        events: Events of the day.
        seasonal: Whether the day was compared with its own weekday.
        silent_days: For how many days the source has been silent, this one included; else 0.
    """

    date: date
    kind: Kind
    source: str
    action: str
    observed: float
    expected: float
    lower: float
    upper: float
    events: float
    seasonal: bool
    silent_days: int


def explain(verdicts: pl.DataFrame) -> pl.DataFrame:
    """Add severity and sentence, and give the rows their final order.

    Args:
        verdicts: The fields of `Verdict` and `p_value`.

    Returns:
        A frame of `ANOMALY_SCHEMA`, sorted by date, source, action and kind.
    """
    ordered = verdicts.sort("date", "source", "action", "kind")
    names = [field.name for field in fields(Verdict)]
    rows = [Verdict(**row) for row in ordered.select(names).iter_rows(named=True)]
    return ordered.with_columns(
        severity=pl.Series([severity(row) for row in rows], dtype=pl.String),
        sentence=pl.Series([sentence(row) for row in rows], dtype=pl.String),
    ).select(ANOMALY_SCHEMA.names())


def severity(verdict: Verdict) -> Severity:
    """How much a person should care, from the size of the change alone.

    | kind | warning | critical |
    |---|---|---|
    | spike | 2 times the expected | 5 times, and 3 times the range |
    | drop | half of the expected | a tenth |
    | failure_rate | 3 times the expected | half of all events |
    | silent_source | first day; second week | first day; second to seventh in any case |
    | new_source | any | never |
    | new_action | 50 events | never |

    Nothing is critical below 50 events, a silence of several days excepted. Everything else is
    info, as is a silence of more than two weeks: no news to anybody.
    """
    observed, expected = verdict.observed, verdict.expected
    match verdict.kind:
        case "spike":
            critical = observed >= max(5 * expected, 3 * verdict.upper, _MANY_EVENTS)
            return _graded(observed >= 2 * expected, critical)
        case "drop":
            critical = 10 * observed <= expected and expected >= _MANY_EVENTS
            return _graded(2 * observed <= expected, critical)
        case "failure_rate":
            return _graded(observed >= 3 * expected, observed >= 0.5 and verdict.events >= _MANY_EVENTS)
        case "silent_source":
            days = verdict.silent_days
            return _graded(
                days <= 2 * DAYS_OF_WEEK,
                days <= DAYS_OF_WEEK and (days > 1 or expected >= _MANY_EVENTS),
            )
        case "new_source":
            return "warning"
        case "new_action":
            return _graded(observed >= _MANY_EVENTS, critical=False)
        case _:
            assert_never(verdict.kind)


def sentence(verdict: Verdict) -> str:
    """Say what happened, what was expected and how large the difference is.

    Example: `shop/payment_failed: 412 events on Tue 2026-03-03, 11 times the usual 36
    (expected 20 to 55 for a Tuesday)`. Control characters in names are escaped.
    """
    observed, expected = verdict.observed, verdict.expected
    subject = "/".join(_shown(name) for name in (verdict.source, verdict.action) if name)
    when = f"{verdict.date:%a %Y-%m-%d}"
    per_day = f"for a {verdict.date:%A}" if verdict.seasonal else "a day"
    counts = f"(expected {verdict.lower:,.0f} to {verdict.upper:,.0f} {per_day})"
    match verdict.kind:
        case "spike":
            compared = (
                f"{_times(observed / expected)} the usual {_count(expected)}"
                if expected >= 1
                else "where hardly any is usual"
            )
            return f"{subject}: {_events(observed)} on {when}, {compared} {counts}"
        case "drop":
            share = f"{observed / expected:.0%} of" if observed else "none instead of"
            return f"{subject}: {_events(observed)} on {when}, {share} the usual {_count(expected)} {counts}"
        case "failure_rate":
            compared = (
                f"{_times(observed / expected)} the usual {expected:.1%}"
                if expected >= _SMALLEST_SHOWN_SHARE
                else "where hardly any does"
            )
            return (
                f"{subject}: {observed:.1%} of {_events(verdict.events)} failed on {when}, {compared} "
                f"(expected at most {verdict.upper:.1%})"
            )
        case "silent_source":
            days = verdict.silent_days
            since = verdict.date - timedelta(days=days - 1)
            lasting = f", silent for {days} days, since {since:%a %Y-%m-%d}" if days > 1 else ""
            return f"{subject}: no event on {when}, the usual is {_count(expected)} {counts}{lasting}"
        case "new_source" | "new_action":
            what = verdict.kind.removeprefix("new_")
            article = "an" if what == "action" else "a"
            return f"{subject}: {article} {what} never seen before, {_events(observed)} on {when}"
        case _:
            assert_never(verdict.kind)


def _graded(warning: bool, critical: bool) -> Severity:
    if critical:
        return "critical"
    return "warning" if warning else "info"


def _shown(name: str) -> str:
    """A name on one line, its control characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _events(count: float) -> str:
    return "1 event" if count == 1 else f"{count:,.0f} events"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"
