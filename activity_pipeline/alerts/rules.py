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


FEWEST_REFUSED: Final = 10
"""Fewer dead letters in an hour may be one caller's slip, whatever their share."""


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job, or assets that are made without one, whose runs fail.

    Attributes:
        name: Its name.
        said: What its last failed run said.
        runs: How many runs that failed nobody has made good.
    """

    name: str
    said: str
    runs: int = 1


@dataclass(frozen=True, slots=True)
class FromDagster:
    """What Dagster alone knows.

    Attributes:
        failed: Jobs whose runs fail.
        late: Assets that have missed their freshness policy.
    """

    failed: tuple[FailedJob, ...] = ()
    late: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too much.

    Attributes:
        queue_s: Age of the oldest event that waits, in seconds.
        severity: The least severe anomaly that somebody is told of.
        dead_letter_share: Dead letters among what a drain took lately, from 0 to 1.
    """

    queue_s: float
    severity: Severity
    dead_letter_share: float = 0.01


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


def concerns(seen: Overview, limits: Limits, dagster: FromDagster | None = None) -> list[Concern]:
    """Return what calls for a person."""
    found = [
        *_of_the_ledger(seen),
        *_of_the_queue(seen, limits),
        *_of_the_days(seen),
        *_of_the_operations(seen, limits),
        *_of_the_bypasses(seen),
    ]
    if dagster is not None:
        found += [failed_job(job) for job in dagster.failed]
        found += [_late_asset(name) for name in dagster.late]
    least = SEVERITIES.index(limits.severity)
    for each in seen.anomalies:
        severity = next(level for level in SEVERITIES if level == each.severity)
        if SEVERITIES.index(severity) >= least:
            key = f"anomaly/{each.date}/{each.kind}/{each.source}/{each.action}{each.user_id}"
            subject = "a user" if each.user_id else f"{each.source} {each.action}".strip()
            alert = Alert(f"Unusual: {subject}", each.sentence, severity)
            found.append(Concern(key, "anomaly", alert, timedelta()))
    return found


def failed_job(job: FailedJob) -> Concern:
    """Say that runs of a job fail."""
    more = f" {job.runs:,} failed runs were not made good." if job.runs > 1 else ""
    alert = Alert(f"Run of {job.name} failed", job.said + more, "critical")
    return Concern(f"run/{job.name}", "failed run", alert, timedelta())


def _late_asset(name: str) -> Concern:
    alert = Alert(f"{name} is late", "It has missed its freshness policy. Look at its last runs.", "warning")
    return Concern(f"freshness/{name}", "freshness", alert)


def _of_the_operations(seen: Overview, limits: Limits) -> list[Concern]:
    found = []
    for pace in seen.paces:
        if pace.slow:
            alert = Alert(f"Slow: {pace.operation}", f"{pace.slow}.", "warning")
            found.append(Concern(f"operation/{pace.operation}", "degradation", alert, timedelta()))
        items, refused = pace.lately.items, pace.lately.refused
        if refused >= FEWEST_REFUSED and refused > limits.dead_letter_share * items:
            share = f"{refused:,} of {items:,} events, {refused / items:.1%}, within two hours."
            body = f"{share} Look at `activity-pipeline dead-letters`."
            alert = Alert("Many dead letters", body, "warning")
            found.append(Concern("dead letters", "dead letters", alert, timedelta()))
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


def _of_the_bypasses(seen: Overview) -> list[Concern]:
    return [
        Concern(
            f"legacy/bypass/{bypass.table_name}",
            "legacy bypass",
            Alert(
                f"Changes of {bypass.table_name} are in no event",
                f"{'Up to ' if bypass.method == 'statistics' else ''}{bypass.rows:,} rows of the last day; "
                "its audit triggers are gone. Look at `activity-pipeline legacy sentinel`.",
                "warning" if bypass.method == "statistics" else "critical",
            ),
            timedelta(),
        )
        for bypass in seen.bypasses
    ]
