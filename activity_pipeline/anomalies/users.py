"""Users who did what neither they nor their peers do: more, failing more, at another hour.

An outlier is beyond the user's own history, by a p-value, and beyond what nearly all users do on their
days, as a condition; users without history are judged by the days of the others alone. What everybody
does today, a busy day or an outage, is no user's own.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

import numpy as np
import polars as pl
from scipy import stats

from activity_pipeline.anomalies.grid import Bools, Floats
from activity_pipeline.anomalies.model import HOURS_OF_DAY, DetectionSettings, Kind
from activity_pipeline.anomalies.peers import HeavyTail, correlation, quantile
from activity_pipeline.anomalies.tails import count_p_value, count_range, share_limit, share_p_value

FEW_USERS: Final = 20
"""With fewer comparable ones nothing is said of what everybody does today."""

PRIOR_DAYS: Final = 10.0
"""Days of history that what is known of all users counts as, for one user's spread."""

PRIOR_EVENTS: Final = 50.0
"""Events that it counts as, for one user's failure share."""

HOUR_SPREAD: Final = 1.0
"""Least standard deviation of the first and last hour of a day: they are whole hours."""

FAR_HOURS: Final = 2.0
"""Beyond the earliest or latest hour that the user ever had, in hours."""

OUTLIER_SCHEMA: Final = pl.Schema(
    {
        "date": pl.Date(),
        "kind": pl.String(),
        "user_id": pl.String(),
        "observed": pl.Float64(),
        "expected": pl.Float64(),
        "lower": pl.Float64(),
        "upper": pl.Float64(),
        "p_value": pl.Float64(),
        "events": pl.Float64(),
        "peers": pl.Float64(),
        "known_days": pl.Int64(),
    }
)
"""`peers` and `known_days`: as in `verdict.Verdict`."""


@dataclass(frozen=True, slots=True)
class _Day:
    """The users of one day beside their history, an entry per user."""

    date: date
    user_id: pl.Series
    columns: dict[str, Floats]
    peers: pl.DataFrame

    def __getitem__(self, name: str) -> Floats:
        return self.columns[name]


def judge_users(
    users: pl.DataFrame, days: Collection[date], *, settings: DetectionSettings
) -> tuple[pl.DataFrame, dict[date, int]]:
    """Judge each user of each day.

    Hours are those of a day in UTC: one whose nights cross midnight there is active at both ends of
    most days, and is seldom out of hours.

    Args:
        users: Columns date, user_id (text), events, failures, first_hour, last_hour.
        days: The days to judge.
        settings: Detection settings.

    Returns:
        Candidates of `OUTLIER_SCHEMA`, and how many tests each day had.
    """
    found, tests = [OUTLIER_SCHEMA.to_frame()], dict.fromkeys(days, 0)
    typed = users.select(
        "date",
        "user_id",
        *(pl.col(name).cast(pl.Float64) for name in ("events", "failures")),
        *(pl.col(name).cast(pl.Float64) for name in ("first_hour", "last_hour")),
    )
    for day in sorted(tests):
        beside = _beside_history(typed, day, settings)
        if beside is None:
            continue
        for judge in (_volume, _failures, _hours):
            tested, rows = judge(beside, settings)
            tests[day] += tested
            found.append(rows)
    return pl.concat(found), tests


def _beside_history(users: pl.DataFrame, day: date, settings: DetectionSettings) -> _Day | None:
    before = pl.col("date").is_between(day - timedelta(days=settings.baseline_days), day, closed="left")
    history, now = users.filter(before), users.filter(pl.col("date") == day).sort("user_id")
    if now.is_empty():
        return None
    # Sums of whole numbers are exact in any order, so that each run gives the same bits.
    clipped = pl.min_horizontal("events", pl.col("events").top_k(2).min().over("user_id"))
    known = (
        history.with_columns(clipped=clipped)
        .group_by("user_id")
        .agg(
            days=pl.len().cast(pl.Float64),
            total=pl.col("events").sum(),
            failed=pl.col("failures").sum(),
            usual=pl.col("clipped").sum(),
            squares=(pl.col("clipped").clip(upper_bound=1e6) ** 2).sum(),
            first=pl.col("first_hour").sum(),
            first_squares=(pl.col("first_hour") ** 2).sum(),
            earliest=pl.col("first_hour").min(),
            last=pl.col("last_hour").sum(),
            last_squares=(pl.col("last_hour") ** 2).sum(),
            latest=pl.col("last_hour").max(),
        )
    )
    joined = now.join(known, on="user_id", how="left", maintain_order="left").fill_null(0.0)
    names = [name for name in joined.columns if name not in {"date", "user_id"}]
    columns = {name: joined[name].to_numpy() for name in names}
    return _Day(day, joined["user_id"], columns, history.sort("date", "user_id"))


def _volume(day: _Day, settings: DetectionSettings) -> tuple[int, pl.DataFrame]:
    """More events than the user and nearly all users have: a negative binomial of the user's own spread.

    A user without enough history is judged by the tail of all users' days instead.
    """
    old = day["days"] >= settings.min_user_days
    n, events = np.maximum(day["days"], 2.0), day["events"]
    mean = np.maximum(day["usual"] / n, 0.5)
    variance = np.maximum(day["squares"] / n - mean**2, 0.0) * n / (n - 1)
    excess = np.maximum(variance - mean, 0.0) / mean**2
    typical = np.median(excess[old]) if old.any() else 0.0
    excess = (PRIOR_DAYS * typical + n * excess) / (PRIOR_DAYS + n)
    busy = 1.0
    if np.count_nonzero(old) >= FEW_USERS:
        busy = max(1.0, float(np.median((events[old] + 1) / (mean[old] + 1))))
    peers = day.peers["events"].to_numpy()
    everybody = HeavyTail.of(peers)
    usual = float(np.median(peers)) if len(peers) else 0.0
    expected = np.where(old, mean * busy, max(usual, 0.5) * busy)
    dispersion = np.maximum((1 + excess * expected) * (1 + 1 / n), 1.0 + 1 / n)
    limit = quantile(peers, settings.peer_quantile)
    far = (
        (old | (everybody is not None))
        & (events >= expected * settings.min_user_ratio)
        & (events >= expected + settings.min_events)
        & (events > limit)
    )
    p_value, upper = np.ones_like(events), np.zeros_like(events)
    own = far & old
    p_value[own] = count_p_value(events[own], expected[own], dispersion[own])
    _, upper[own] = count_range(expected[own], dispersion[own], 1 - settings.max_p)
    if everybody is not None:
        new = far & ~old
        p_value[new] = everybody.p_value(events[new] / busy)
        upper[new] = everybody.limit(settings.max_p) * busy
    return len(events), _rows(
        day,
        "user_volume",
        far,
        settings,
        observed=events,
        expected=expected,
        p_value=p_value,
        peers=np.full_like(events, limit),
        limits=(np.zeros_like(upper[far]), upper[far]),
    )


def _failures(day: _Day, settings: DetectionSettings) -> tuple[int, pl.DataFrame]:
    """A larger failure share than the user's own, drawn towards everybody's, and than the others' today."""
    events, failures = day["events"], day["failures"]
    past_events, past_failures = (day.peers[name].to_numpy() for name in ("events", "failures"))
    overall = (past_failures.sum() + 0.5) / (past_events.sum() + 1)
    own = (PRIOR_EVENTS * overall + day["failed"]) / (PRIOR_EVENTS + day["total"])
    others = events.sum() - events
    theirs = np.where(others >= PRIOR_EVENTS, (failures.sum() - failures) / np.maximum(others, 1.0), 0.0)
    expected = np.clip(np.maximum(own, theirs), 1e-6, 1 - 1e-6)
    dispersion = 1 + np.maximum(events - 1, 0.0) * correlation(past_events, past_failures, overall)
    share = failures / events
    peers = quantile(past_failures, settings.peer_quantile)
    far = (
        (failures >= max(settings.min_failures, settings.min_events))
        & (share >= expected * settings.min_user_ratio)
        & (share >= expected + settings.min_failure_share)
        & (failures > peers)
        & (len(past_events) > 0)
    )
    p_value = np.ones_like(events)
    p_value[far] = share_p_value(failures[far], events[far], expected[far], dispersion[far])
    upper = share_limit(events[far], expected[far], dispersion[far], settings.max_p)
    return len(events), _rows(
        day,
        "user_failures",
        far,
        settings,
        observed=share,
        expected=expected,
        p_value=p_value,
        peers=np.full_like(events, peers),
        limits=(np.zeros_like(upper), upper),
    )


def _hours(day: _Day, settings: DetectionSettings) -> tuple[int, pl.DataFrame]:
    """Up earlier or later than ever: Student's t of the user's first and last hours (prediction interval).

    A user without enough history is judged by how many of all users' days reach so far.
    """
    n = np.maximum(day["days"], 2.0)
    old = day["days"] >= settings.min_user_days
    sides = []
    for name, total, squares, extreme, sign in (
        ("first_hour", "first", "first_squares", "earliest", -1.0),
        ("last_hour", "last", "last_squares", "latest", 1.0),
    ):
        mean = day[total] / n
        spread = np.sqrt(np.maximum((day[squares] - n * mean**2) / (n - 1), HOUR_SPREAD**2) * (1 + 1 / n))
        beyond = ~old | (sign * (day[name] - day[extreme]) >= FAR_HOURS)
        hours = np.sort(sign * day.peers[name].to_numpy())
        as_far = len(hours) - np.searchsorted(hours, sign * day[name], side="left")
        share = as_far / max(len(hours), 1)
        p_value = np.where(
            old, stats.t.sf(sign * (day[name] - mean) / spread, n - 1), (as_far + 1) / (len(hours) + 1)
        )
        usual = np.where(old, mean, sign * np.median(hours) if len(hours) else 0.0)
        peers_limit = sign * quantile(hours, 1 - settings.max_p / 2)
        limit = np.where(old, mean + sign * stats.t.isf(settings.max_p / 2, n - 1) * spread, peers_limit)
        far = beyond & (share <= 1 - settings.peer_quantile)
        sides.append((far, p_value, usual, share, limit, day[name]))
    early, late = sides
    first = np.where(early[0], early[1], 1.0) <= np.where(late[0], late[1], 1.0)
    is_far, p_value, usual, share, limit, hour = (
        np.where(first, a, b) for a, b in zip(early, late, strict=True)
    )
    far = is_far.astype(np.bool_)
    last_hour = HOURS_OF_DAY - 1.0
    lower = np.where(first, np.clip(limit, 0.0, last_hour), 0.0)[far]
    upper = np.where(first, last_hour, np.clip(limit, 0.0, last_hour))[far]
    return len(hour), _rows(
        day,
        "user_hours",
        far,
        settings,
        observed=hour,
        expected=usual,
        p_value=np.minimum(2 * p_value, 1.0),
        peers=share,
        limits=(lower, upper),
    )


def _rows(
    day: _Day,
    kind: Kind,
    far: Bools,
    settings: DetectionSettings,
    *,
    observed: Floats,
    expected: Floats,
    p_value: Floats,
    peers: Floats,
    limits: tuple[Floats, Floats],
) -> pl.DataFrame:
    columns = {
        "user_id": day.user_id.filter(pl.Series(far)),
        "observed": observed[far],
        "expected": expected[far],
        "lower": limits[0],
        "upper": limits[1],
        "p_value": np.maximum(p_value[far], 1e-300),
        "events": day["events"][far],
        "peers": peers[far],
        "known_days": np.where(day["days"] >= settings.min_user_days, day["days"], 0.0)[far].astype(np.int64),
    }
    frame = pl.DataFrame(columns).with_columns(date=pl.lit(day.date), kind=pl.lit(kind))
    outside = (pl.col("observed") < pl.col("lower")) | (pl.col("observed") > pl.col("upper"))
    unusual = (pl.col("p_value") <= settings.max_p) & outside
    return frame.filter(unusual).select(OUTLIER_SCHEMA.names()).cast(OUTLIER_SCHEMA)
