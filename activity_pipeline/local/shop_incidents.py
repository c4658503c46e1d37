"""Incidents that the simulated shop really has, and how many of them a detector found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
import polars as pl

from activity_pipeline.anomalies.model import Kind

HISTORY_DAYS: Final = 21
"""Days at the start without incidents: three of each weekday, which a baseline needs."""

HOT_DAYS: Final = 30
SPIKE_FACTOR: Final = 6.0
DROP_FACTOR: Final = 0.2
FAILURE_SHARE: Final = 0.35

_TARGETS: Final[dict[Kind, tuple[tuple[str, str], ...]]] = {
    "failure_rate": (
        ("payments", "payment_captured"),
        ("payments", "payment_authorized"),
        ("web_shop", "order_placed"),
    ),
    "spike": (("accounts", "password_reset"), ("web_shop", "coupon_redeemed"), ("support", "ticket_opened")),
    "drop": (("web_shop", "checkout_started"), ("accounts", "logout"), ("web_shop", "cart_item_added")),
    "silent_source": (("warehouse", ""), ("nightly_jobs", ""), ("support", "")),
}


@dataclass(frozen=True, slots=True)
class Incident:
    """Something unusual that was planted.

    Attributes:
        kind: As in the anomalies.
        date: The day it lasted, UTC.
        source, action: Where; the action is empty where all of a source is concerned.
        description: What happened, for a person.
    """

    kind: Kind
    date: date
    source: str
    action: str
    description: str


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a detector made of the incidents.

    Attributes:
        found: Incidents with an anomaly of their kind, day and subject.
        missed: The others.
        other: Anomalies that no incident explains, as `detect` returned them.
    """

    found: tuple[Incident, ...]
    missed: tuple[Incident, ...]
    other: pl.DataFrame


def first_day(days: int, until: datetime) -> date:
    """First of the days that end with the day of `until`, UTC."""
    return until.astimezone(UTC).date() - timedelta(days=days - 1)


def planted_incidents(*, days: int, seed: int, until: datetime) -> tuple[Incident, ...]:
    """The incidents that `simulate` plants for the same arguments, by date.

    One of each kind, each on a day of its own: not in the first `HISTORY_DAYS`, nor on the
    last, partial day. The failing action falls into the last 30 days, the others before
    them where there is room. With 22 days or fewer there are none, with 23 to 25 fewer.

    Args:
        days: Simulated days, the last one partial.
        seed: Seed of the simulation.
        until: End of the simulation, with an offset.
    """
    rng = np.random.default_rng((seed, 0))
    possible = range(HISTORY_DAYS, days - 1)
    hot = [day for day in possible if day >= days - HOT_DAYS]
    older = [day for day in possible if day < days - HOT_DAYS]
    chosen: list[int] = []
    incidents = []
    for kind, targets in _TARGETS.items():
        wanted = hot if kind == "failure_rate" else older
        free = [day for day in wanted if day not in chosen] or [day for day in possible if day not in chosen]
        source, action = targets[rng.integers(len(targets))]
        if free:
            chosen.append(int(rng.choice(free)))
            day = first_day(days, until) + timedelta(days=chosen[-1])
            incidents.append(Incident(kind, day, source, action, _described(kind, source, action)))
    return tuple(sorted(incidents, key=lambda incident: incident.date))


def score(incidents: tuple[Incident, ...], anomalies: pl.DataFrame) -> Report:
    """Compare what was planted with what was detected.

    An incident explains anomalies of its own kind, day, source and action only; everything
    else that was flagged counts as other.

    Args:
        incidents: What was planted.
        anomalies: What `detect` returned.
    """
    subject = ("kind", "date", "source", "action")
    flagged = set(anomalies.select(subject).iter_rows())
    found = tuple(i for i in incidents if (i.kind, i.date, i.source, i.action) in flagged)
    explained = pl.DataFrame(
        [(i.kind, i.date, i.source, i.action) for i in found],
        schema={name: anomalies.schema[name] for name in subject},
        orient="row",
    )
    return Report(
        found=found,
        missed=tuple(i for i in incidents if i not in found),
        other=anomalies.join(explained, on=subject, how="anti", maintain_order="left"),
    )


def _described(kind: Kind, source: str, action: str) -> str:
    match kind:
        case "spike":
            return f"{source}/{action} at {SPIKE_FACTOR:.0f} times its usual volume"
        case "drop":
            return f"{source}/{action} at {DROP_FACTOR:.0%} of its usual volume"
        case "failure_rate":
            return f"{FAILURE_SHARE:.0%} of {source}/{action} failed"
        case "silent_source":
            return f"{source} sent nothing all day"
        case "new_source" | "new_action":
            return f"{source}/{action} appeared"
        case "user_volume" | "user_failures" | "user_hours":
            return "a user did what none does"
