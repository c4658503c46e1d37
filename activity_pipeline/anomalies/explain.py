"""From a verdict to what a person reads: severity and one sentence."""

from __future__ import annotations

from datetime import date, timedelta
from typing import assert_never

import polars as pl

from activity_pipeline.anomalies.model import ANOMALY_SCHEMA, DAYS_OF_WEEK, Kind, Severity


def explain(verdicts: pl.DataFrame) -> pl.DataFrame:
    """Add severity and sentence, and give the rows their final order.

    Args:
        verdicts: Columns of `ANOMALY_SCHEMA` except severity and sentence, and `events` (of the
            day), `seasonal` (judged against its weekday) and `silent_days` (this one included).

    Returns:
        A frame of `ANOMALY_SCHEMA`, sorted by date, source, action and kind.
    """
    rows = verdicts.sort("date", "source", "action", "kind")
    severities = [
        severity(kind, observed, expected, silent_days)
        for kind, observed, expected, silent_days in rows.select(
            "kind", "observed", "expected", "silent_days"
        ).iter_rows()
    ]
    sentences = [sentence(**row) for row in rows.select(_SENTENCE_FIELDS).iter_rows(named=True)]
    return rows.with_columns(
        severity=pl.Series(severities, dtype=pl.String),
        sentence=pl.Series(sentences, dtype=pl.String),
    ).select(ANOMALY_SCHEMA.names())


_SENTENCE_FIELDS = (
    "date",
    "kind",
    "source",
    "action",
    "observed",
    "expected",
    "lower",
    "upper",
    "events",
    "seasonal",
    "silent_days",
)


def severity(kind: Kind, observed: float, expected: float, silent_days: int) -> Severity:
    """How much a person should care, from the size of the change alone.

    | kind | info | warning | critical |
    |---|---|---|---|
    | spike | below 2 times the expected | 2 times | 5 times |
    | drop | above half of the expected | half | a tenth |
    | failure_rate | below 3 times the expected | 3 times | half of all events |
    | silent_source | after two weeks | first day below 50 expected events; second week | else |

    A silence gets critical on its second day at the latest, and milder once it can no longer
    be news to anybody.
    """
    match kind:
        case "spike":
            return _graded(observed >= 2 * expected, observed >= 5 * expected)
        case "drop":
            return _graded(2 * observed <= expected, 10 * observed <= expected)
        case "failure_rate":
            return _graded(observed >= 3 * expected, observed >= 0.5)
        case "silent_source":
            fresh = silent_days <= DAYS_OF_WEEK and (silent_days > 1 or expected >= 50)
            return _graded(silent_days <= 2 * DAYS_OF_WEEK, fresh)
        case _:
            assert_never(kind)


def sentence(
    date: date,
    kind: Kind,
    source: str,
    action: str,
    observed: float,
    expected: float,
    lower: float,
    upper: float,
    events: float,
    seasonal: bool,
    silent_days: int,
) -> str:
    """Say what happened, what was expected and how large the difference is.

    Example: `shop/payment_failed: 412 events on Tue 2026-03-03, 11 times the usual 36
    (expected 20 to 55 for a Tuesday)`. Control characters in names are escaped.
    """
    subject = f"{_shown(source)}/{_shown(action)}" if action else _shown(source)
    when = f"{date:%a %Y-%m-%d}"
    counts = f"expected {lower:,.0f} to {upper:,.0f}" + (f" for a {date:%A}" if seasonal else " a day")
    match kind:
        case "spike":
            compared = f"{_times(observed / expected)} the usual {_count(expected)}" if expected >= 1 else "where hardly any is usual"
            return f"{subject}: {observed:,.0f} events on {when}, {compared} ({counts})"
        case "drop":
            share = f"{observed / expected:.0%} of" if observed else "none instead of"
            return f"{subject}: {_events(observed)} on {when}, {share} the usual {_count(expected)} ({counts})"
        case "failure_rate":
            failures = round(observed * events)
            return (
                f"{subject}: {observed:.1%} failed on {when} ({failures:,} of {events:,.0f} events), "
                f"{_times(observed / expected)} the usual {expected:.1%} (expected {lower:.1%} to {upper:.1%})"
            )
        case "silent_source":
            since = date - timedelta(days=silent_days - 1)
            lasting = f", silent for {silent_days} days, since {since:%a %Y-%m-%d}" if silent_days > 1 else ""
            return f"{subject}: no event on {when}, the usual is {_count(expected)} ({counts}){lasting}"
        case _:
            assert_never(kind)


def _graded(warning: bool, critical: bool) -> Severity:
    if critical:
        return "critical"
    return "warning" if warning else "info"


def _shown(name: str) -> str:
    """A name with its control characters escaped, as one line."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _events(count: float) -> str:
    return "1 event" if count == 1 else f"{count:,.0f} events"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"
