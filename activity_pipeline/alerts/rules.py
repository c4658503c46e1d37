"""When somebody should be told: pure decisions over one look at the pipeline."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from activity_pipeline.alerts.channels import Alert, Severity
from activity_pipeline.alerts.overview import Overview

SEVERITIES: Final[tuple[Severity, ...]] = ("info", "warning", "critical")
TWO_LOOKS: Final = timedelta(seconds=45)
"""What lasts from one look to the next; a minute lies between them."""

SOME_HOURS: Final = timedelta(hours=3)
"""What Dagster mends by itself within the hour has been tried three times by then."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much.

    Attributes:
        queue_s: Age of the oldest event that waits, in seconds.
        severity: The least severe anomaly that somebody is told of.
    """

    queue_s: float
    severity: Severity


@dataclass(frozen=True, slots=True)
class Concern:
    """Something that calls for a person, if it lasts.

    Attributes:
        key: What it is about; the same key again is no news.
        rule: Name of the rule.
        alert: What to say.
        after: How long it must last before anybody is told.
    """

    key: str
    rule: str
    alert: Alert
    after: timedelta = TWO_LOOKS


def concerns(seen: Overview, limits: Limits) -> list[Concern]:
    """Return what calls for a person."""
    found = [*_of_the_ledger(seen), *_of_the_queue(seen, limits), *_of_the_days(seen)]
    least = SEVERITIES.index(limits.severity)
    for each in seen.anomalies:
        severity = next(level for level in SEVERITIES if level == each.severity)
        if SEVERITIES.index(severity) >= least:
            key = f"anomaly/{each.date}/{each.kind}/{each.source}/{each.action}{each.user_id}"
            subject = "a user" if each.user_id else f"{each.source} {each.action}".strip()
            alert = Alert(f"Unusual: {subject}", each.sentence, severity)
            found.append(Concern(key, "anomaly", alert, timedelta()))
    return found


def _of_the_ledger(seen: Overview) -> list[Concern]:
    if not seen.ledger.residual:
        return []
    open_ = ", ".join(f"{name} {off:+,}" for name, off in seen.ledger.differences.items() if off)
    body = f"{open_}. Look at `activity-pipeline ledger`."
    return [Concern("ledger", "ledger", Alert("The ledger does not close", body, "critical"))]


def _of_the_queue(seen: Overview, limits: Limits) -> list[Concern]:
    figures = seen.lag.as_figures()
    oldest_s = float(figures["queue_oldest_s"])
    found = []
    if oldest_s > limits.queue_s:
        body = f"{figures['queue_waiting_events']:,} events wait, the oldest for {oldest_s:,.0f} s."
        found.append(Concern("queue/lag", "queue lag", Alert("The drain is behind", body, "warning")))
    if not seen.lag.is_trusted:
        body = f"{figures['queue_concerns']}. Look at `activity-pipeline queue`."
        found.append(Concern("queue/trust", "queue", Alert("The queue cannot be trusted", body, "critical")))
    return found


def _of_the_days(seen: Overview) -> list[Concern]:
    found = []
    if seen.stale_metrics:
        body = f"{len(seen.stale_metrics):,} days, {seen.stale_metrics[0]} the first."
        alert = Alert("Metrics are out of date", body, "warning")
        found.append(Concern("metrics/stale", "freshness", alert, SOME_HOURS))
    if exported := seen.states["exported"]:
        body = f"{exported:,} days are in Parquet and do not leave Postgres: their gate is shut."
        alert = Alert("The archive's gate is shut", body, "critical")
        found.append(Concern("archive/gate", "archive gate", alert, SOME_HOURS))
    return found
