"""From verdicts to what a person reads: severity and one sentence."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, assert_never

import polars as pl

from activity_pipeline.anomalies.model import ANOMALY_SCHEMA
from activity_pipeline.anomalies.severity import severity
from activity_pipeline.anomalies.verdict import VERDICT_SCHEMA, Verdict

ORDER: Final = ("date", "source", "action", "user_id", "kind")
_SMALLEST_SHOWN_SHARE: Final = 0.0005


def explain(verdicts: pl.DataFrame) -> pl.DataFrame:
    """Add severity and sentence, and give the rows their final order.

    Args:
        verdicts: Columns of `VERDICT_SCHEMA`; those that are missing are null.

    Returns:
        A frame of `ANOMALY_SCHEMA`, sorted by date, source, action, user and kind.
    """
    whole = pl.concat([VERDICT_SCHEMA.to_frame(), verdicts], how="diagonal")
    ordered = whole.with_columns(pl.col("user_id").fill_null("")).sort(*ORDER)
    rows = [_verdict(row) for row in ordered.drop("p_value").iter_rows(named=True)]
    return ordered.with_columns(
        pl.col("hour").cast(pl.Int16),
        severity=pl.Series([severity(row) for row in rows], dtype=pl.String),
        sentence=pl.Series([sentence(row) for row in rows], dtype=pl.String),
    ).select(ANOMALY_SCHEMA.names())


def _verdict(row: dict[str, Any]) -> Verdict:
    return Verdict(**{name: value for name, value in row.items() if value is not None})


def sentence(verdict: Verdict) -> str:
    """Say what happened, what was expected and how large the difference is.

    Example: `shop/payment_failed: 412 events on Tue 2026-03-03, 11 times the usual 36
    (expected 20 to 55 for a Tuesday)`. Control characters in names are escaped.
    """
    observed, expected = verdict.observed, verdict.expected
    subject = "/".join(_shown(name) for name in (verdict.source, verdict.action) if name)
    when = f"{verdict.date:%a %Y-%m-%d}"
    per_day = f"for a {verdict.date:%A}" if verdict.seasonal else "a day"
    if verdict.hour is not None:
        when = f"{when} from {verdict.hour:02}:00 to {verdict.hour + 1:02}:00 UTC"
        per_day = "in this hour" + (
            f"; {verdict.hours} hours of the day are alike" if verdict.hours > 1 else ""
        )
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
        case "user_volume" | "user_failures" | "user_hours":
            return _of_a_user(verdict, when)
        case _:
            assert_never(verdict.kind)


def _of_a_user(verdict: Verdict, when: str) -> str:
    user, observed, expected = f"user {_shown(verdict.user_id)}", verdict.observed, verdict.expected
    known = verdict.known_days > 0
    usual = "their usual" if known else "what is usual of others,"
    if verdict.kind == "user_volume":
        return (
            f"{user}: {_events(observed)} on {when}, {_times(observed / expected)} {usual} "
            f"{_count(expected)} (expected at most {verdict.upper:,.0f}; 95% of all users' days have at most "
            f"{verdict.peers:,.0f})"
        )
    if verdict.kind == "user_failures":
        return (
            f"{user}: {observed:.1%} of {_events(verdict.events)} failed on {when}, "
            f"{_times(observed / expected)} {usual} {expected:.1%} (expected at most {verdict.upper:.1%}; "
            f"95% of all users' days have at most {verdict.peers:,.0f} failures)"
        )
    early = observed < expected
    begins, end = ("from", "first") if early else ("until", "last")
    limit = f"not before {verdict.lower:02.0f}" if early else f"not after {verdict.upper:02.0f}"
    whose = "their" if known else "others'"
    return (
        f"{user}: active {begins} {observed:02.0f} o'clock UTC on {when}, {whose} {end} hour is usually "
        f"about {expected:02.0f} (expected {limit}; {_rarely(verdict.peers)} of all users' days reach so far)"
    )


def _rarely(share: float) -> str:
    return f"{share:.1%}" if share >= _SMALLEST_SHOWN_SHARE else "hardly any"


def _shown(name: str) -> str:
    """A name on one line, its control characters escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _events(count: float) -> str:
    return "1 event" if count == 1 else f"{count:,.0f} events"


def _count(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 or value == round(value) else f"{value:.1f}"


def _times(ratio: float) -> str:
    return f"{ratio:,.0f} times" if ratio >= 10 else f"{ratio:.1f} times"
