"""What was found, before it is put into words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import polars as pl

from activity_pipeline.anomalies.model import Kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One anomaly: columns of `ANOMALY_SCHEMA`, and what else its sentence tells.

    Attributes:
        events: Events of the day, or of the hour.
        seasonal: Whether the day was compared with its own weekday.
        silent_days: For how many days the source has been silent, this one included; else 0.
        hour: The hour of the day, 0 to 23, where it is about one.
        hours: How many hours of the day are as unusual.
        user_id: The user, where it is about one; else empty.
        peers: The most that nearly all users' days have; of `user_hours` the share of days that reach so far.
        known_days: Days of the user's own history; with none the peers' is meant by usual.
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
    seasonal: bool = False
    silent_days: int = 0
    hour: int | None = None
    hours: int = 1
    user_id: str = ""
    peers: float = 0.0
    known_days: int = 0


VERDICT_SCHEMA: Final = pl.Schema(
    {
        "date": pl.Date(),
        "kind": pl.String(),
        "source": pl.String(),
        "action": pl.String(),
        "observed": pl.Float64(),
        "expected": pl.Float64(),
        "lower": pl.Float64(),
        "upper": pl.Float64(),
        "events": pl.Float64(),
        "seasonal": pl.Boolean(),
        "silent_days": pl.Int64(),
        "hour": pl.Int64(),
        "hours": pl.Int64(),
        "user_id": pl.String(),
        "peers": pl.Float64(),
        "known_days": pl.Int64(),
        "p_value": pl.Float64(),
    }
)
"""The fields of `Verdict`, null where its default is meant, and `p_value`."""
