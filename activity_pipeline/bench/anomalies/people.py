"""Simulated users by day, with incidents planted in some of them.

A user has a level (log-normal over users, so that few have many events), days off, days that are busier than
others for no reason (gamma), a share that fails and hours of work that shift from day to day. What is planted
is so many times the user's own usual, whether or not others have as much: a light user's tenfold is many
another's usual, and is meant to stay untold.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import polars as pl

from activity_pipeline.bench.anomalies.incidents import Incident, Subject
from activity_pipeline.bench.anomalies.world import day_of

USERS: Final = 400
HISTORY_DAYS: Final = 60
JUDGED_DAYS: Final = 28
INCIDENT_SHARE: Final = 0.004
"""Of the user-days."""

MEDIAN_EVENTS: Final = 12.0
SPREAD: Final = 1.0
DAY_SPREAD: Final = 0.5
"""Coefficient of variation of a user's day."""

ACTIVE: Final = (0.4, 0.95)
FAILING: Final = (0.005, 0.03)
MANY_EVENTS: Final = 40
"""Failures are planted on days with so many events."""

STRENGTHS: Final[dict[str, tuple[float, ...]]] = {
    "user volume": (5.0, 10.0, 30.0),
    "user failures": (0.3, 0.6),
    "user hours": (4.0, 5.0, 7.0),
}
"""Times the usual; the share that fails; hours before the usual ones."""

SHOWN_BY: Final = {
    "user volume": frozenset({"user_volume"}),
    "user failures": frozenset({"user_failures"}),
    "user hours": frozenset({"user_hours"}),
}
_UNITS: Final = {"user volume": "x", "user failures": "of all", "user hours": "h early"}


@dataclass(frozen=True, slots=True)
class People:
    """One simulation.

    Attributes:
        daily: Columns date, user_id, events, failures, first_hour, last_hour.
        days: The judged days.
        incidents: What was planted.
        user_days: How many are judged.
    """

    daily: pl.DataFrame
    days: Sequence[date]
    incidents: Sequence[Incident]
    user_days: int


def simulate_people(seed: int) -> People:
    """Make users' days.

    Args:
        seed: Of everything random.
    """
    rng = np.random.default_rng((seed, 11))
    level = MEDIAN_EVENTS * np.exp(SPREAD * rng.standard_normal(USERS))
    active = rng.uniform(*ACTIVE, USERS)
    failing = rng.uniform(*FAILING, USERS)
    start, length = rng.normal(9, 2, USERS), rng.uniform(4, 10, USERS)
    names = np.array([f"u{number:04d}" for number in range(USERS)])
    shape = 1 / DAY_SPREAD**2
    rows: list[pl.DataFrame] = []
    incidents: list[Incident] = []
    user_days = 0
    for day in range(HISTORY_DAYS + JUDGED_DAYS):
        here = np.flatnonzero(rng.random(USERS) < active)
        events = 1 + rng.poisson(level[here] * rng.gamma(shape, 1 / shape, here.size))
        first = start[here] + rng.normal(0, 0.8, here.size)
        last = first + length[here] + rng.normal(0, 1, here.size)
        share = failing[here].copy()
        if day >= HISTORY_DAYS:
            user_days += here.size
            for place in np.flatnonzero(rng.random(here.size) < INCIDENT_SHARE):
                kind = list(STRENGTHS)[rng.integers(len(STRENGTHS))]
                strength = float(rng.choice(STRENGTHS[kind]))
                if kind == "user volume":
                    events[place] = 1 + rng.poisson(level[here[place]] * strength)
                elif kind == "user failures":
                    events[place] = max(events[place], MANY_EVENTS)
                    share[place] = strength
                else:
                    first[place] = start[here[place]] - strength
                subject = Subject(day_of(day), "", "", str(names[here[place]]))
                usual = float(level[here[place]])
                label = f"{strength:g} {_UNITS[kind]}"
                incidents.append(Incident(kind, label, subject, usual, usual * 0.02, SHOWN_BY[kind]))
        columns: dict[str, Any] = {
            "user_id": names[here],
            "events": events.astype(np.int64),
            "failures": rng.binomial(events, share).astype(np.int64),
            "first_hour": np.clip(first, 0, 23).astype(np.int64),
            "last_hour": np.clip(np.maximum(first, last), 0, 23).astype(np.int64),
        }
        rows.append(pl.DataFrame(columns).with_columns(date=pl.lit(day_of(day))))
    days = [day_of(day) for day in range(HISTORY_DAYS, HISTORY_DAYS + JUDGED_DAYS)]
    return People(pl.concat(rows), days, incidents, user_days)
