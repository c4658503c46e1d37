"""Simulated traffic of many series by hour, with incidents planted in it (world.py has what is usual)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import numpy as np
import polars as pl
from scipy import stats

from activity_pipeline.bench.anomalies.incidents import Incident, Subject
from activity_pipeline.bench.anomalies.world import (
    FIRST_DAY,
    HISTORY_DAYS,
    HOURS,
    Array,
    Planted,
    World,
    day_of,
    quiet_world,
    silence,
)

INCIDENT_SHARE: Final = 0.05
"""Of the judged series-days."""

APART_DAYS: Final = 12
"""Between two incidents of one series, so that each is judged on its own."""

WANDER_VARIANCE: Final = 1.5 / (1 - 0.6**2)
"""Variance of a level that wanders by steps of Student's t with 6 degrees of freedom, in squared steps."""

POSSIBLE_P: Final = 0.001
"""What one who knows the true rates may flag; the detector's own limit."""

STRENGTHS: Final[dict[str, tuple[float, ...]]] = {
    "spike": (1.5, 2.0, 3.0, 5.0),
    "drop": (0.7, 0.5, 0.25, 0.0),
    "failures": (2.0, 3.0, 5.0),
    "hour spike": (5.0, 10.0, 20.0),
    "hour outage": (1.0, 3.0, 6.0),
}
"""Times the usual; of an outage its hours."""

SHOWN_BY: Final[dict[str, frozenset[str]]] = {
    "spike": frozenset({"spike"}),
    "drop": frozenset({"drop"}),
    "failures": frozenset({"failure_rate"}),
    "hour spike": frozenset({"spike"}),
    "hour outage": frozenset({"drop"}),
    "silent source": frozenset({"silent_source"}),
    "new action": frozenset({"new_action"}),
    "new source": frozenset({"new_source"}),
}


@dataclass(frozen=True, slots=True)
class Traffic:
    """One simulation.

    Attributes:
        hourly: Columns hour, source, action, status, count.
        daily: Columns date, source, action, status, count: the same by day.
        days: The judged days.
        incidents: What was planted.
        excused: Subject-days that are neither right nor wrong.
        series: How many (source, action).
    """

    hourly: pl.DataFrame
    daily: pl.DataFrame
    days: list[date]
    incidents: list[Incident]
    excused: frozenset[Subject]
    series: int


def simulate(seed: int, *, series: int = 120, incidents: bool = True) -> Traffic:
    """Make traffic.

    Args:
        seed: Of everything random.
        series: How many (source, action).
        incidents: Whether any are planted.
    """
    rng = np.random.default_rng((seed, 7))
    world = quiet_world(rng, series)
    judged = range(HISTORY_DAYS, world.width)
    if incidents:
        _plant(world, judged)
    events, failures = _events(world)
    world.incidents += [_judged_knowing_all(world, one, events, failures) for one in world.planted]
    if incidents:
        _plant_newcomers(world, judged)
    hourly = _table(world, events, failures)
    return Traffic(
        hourly=hourly,
        daily=daily_of(hourly),
        days=[day_of(day) for day in judged],
        incidents=world.incidents,
        excused=frozenset(world.excused),
        series=series,
    )


def daily_of(hourly: pl.DataFrame) -> pl.DataFrame:
    """Sum hours to days."""
    return (
        hourly.group_by(pl.col("hour").dt.date().alias("date"), "source", "action", "status")
        .agg(pl.col("count").sum())
        .sort("date", "source", "action", "status")
    )


def first_seen(daily: pl.DataFrame) -> pl.DataFrame:
    """Return when each series had its first events, and how many: source, action, first, events."""
    return (
        daily.group_by("source", "action", "date")
        .agg(events=pl.col("count").sum())
        .sort("date")
        .group_by("source", "action", maintain_order=True)
        .first()
        .select("source", "action", first="date", events="events")
    )


def _plant(world: World, judged: range) -> None:
    rng = world.rng
    last = np.full(len(world.names), -APART_DAYS)
    chosen = rng.random((len(world.names), world.width)) < INCIDENT_SHARE
    for day in judged:
        if rng.random() < 0.1:
            source = world.names[int(rng.integers(len(world.names)))][0]
            usual = float(
                sum(world.rate[n, day].sum() for n, name in enumerate(world.names) if name[0] == source)
            )
            silence(world, source, day)
            subject = Subject(day_of(day), source, "")
            world.incidents.append(
                Incident("silent source", "1 day", subject, usual, 0.0, SHOWN_BY["silent source"])
            )
        for series in np.flatnonzero(chosen[:, day] & (day - last >= APART_DAYS)):
            if world.subject(int(series), day) not in world.excused:
                last[series] = day
                _plant_one(world, int(series), day)


def _plant_one(world: World, series: int, day: int) -> None:
    rng = world.rng
    kind = str(rng.choice(list(STRENGTHS)))
    strength = float(rng.choice(STRENGTHS[kind]))
    rate = world.rate[series, day]
    usual, failing = rate.copy(), float(world.failing[series, day])
    busiest = int(rng.choice(24, p=rate / rate.sum()))
    hours = np.arange(24)
    if kind in {"spike", "drop"}:
        rate *= strength
    elif kind == "failures":
        world.failing[series, day] = min(failing * strength, 0.95)
    elif kind == "hour spike":
        hours = hours[[busiest]]
        rate[hours] *= strength
    else:
        hours = hours[busiest : busiest + int(strength)]
        rate[hours] = 0.0
    label = f"{strength:g} h" if kind == "hour outage" else f"{strength:g} x"
    before, of_day = float(usual[hours].sum()), float(usual.sum())
    world.planted.append(Planted(kind, label, series, day, hours, before, of_day, of_day * failing))


def _judged_knowing_all(world: World, one: Planted, events: Array, failures: Array) -> Incident:
    """Say whether one who knows the true rate and its spread would have flagged what was drawn."""
    drawn, before = float(events[one.series, one.day, one.hours].sum()), one.usual
    if one.kind == "failures":
        failed = failures[one.series, one.day].sum()
        share = one.usual_failures / one.usual
        tail = stats.binom.sf(failed - 1, drawn, share) if failed > drawn * share else 1.0
    else:
        spread = 2 * world.session[one.series] - 1 + before * WANDER_VARIANCE * world.wander[one.series] ** 2
        size, chance = before / max(spread - 1, 0.01), 1 / max(spread, 1.01)
        above = drawn > before
        tail = stats.nbinom.sf(drawn - 1, size, chance) if above else stats.nbinom.cdf(drawn, size, chance)
        tail *= 2 if one.hours.size == HOURS else 2 * HOURS
    return Incident(
        one.kind,
        one.strength,
        world.subject(one.series, one.day),
        one.usual_of_day,
        one.usual_failures,
        SHOWN_BY[one.kind],
        bool(tail <= POSSIBLE_P),
    )


def _events(world: World) -> tuple[Array, Array]:
    """Draw sessions by hour, the events of each, and which of them fail: shape (series, days, 24)."""
    rng = world.rng
    sessions = rng.poisson(world.rate / world.session[:, None, None])
    extra = np.zeros(sessions.shape)
    longer = world.session > 1
    counts = sessions[longer]
    chance = np.broadcast_to((1 / world.session[longer])[:, None, None], counts.shape)
    drawn = np.zeros(counts.shape)
    some = counts > 0
    drawn[some] = rng.negative_binomial(counts[some], chance[some])  # of so many geometric lengths
    extra[longer] = drawn
    events = sessions + extra
    share = world.failing * np.exp(world.noise[:, None] * rng.normal(size=world.failing.shape))
    failures = rng.binomial(events.astype(np.int64), np.minimum(share, 0.98)[:, :, None])
    return events, failures.astype(np.float64)


def _plant_newcomers(world: World, judged: range) -> None:
    """Name actions and sources that were never there; `_table` gives them their events."""
    for day in judged:
        if world.rng.random() < 0.1:
            source = world.names[int(world.rng.integers(len(world.names)))][0]
            subject = Subject(day_of(day), source, f"new{day}")
            world.incidents.append(Incident("new action", "5 events", subject, 0, 0, SHOWN_BY["new action"]))
        if world.rng.random() < 0.05:
            subject = Subject(day_of(day), f"new{day}", "")
            world.incidents.append(Incident("new source", "5 events", subject, 0, 0, SHOWN_BY["new source"]))


def _table(world: World, events: Array, failures: Array) -> pl.DataFrame:
    rows: list[pl.DataFrame] = []
    names = pl.DataFrame(world.names, schema=["source", "action"], orient="row")
    for status, counts in (("success", events - failures), ("failed", failures)):
        series, day, hour = np.nonzero(counts)
        columns: dict[str, Any] = {"count": counts[series, day, hour].astype(np.int64)}
        at = np.datetime64(FIRST_DAY) + day.astype("timedelta64[D]") + hour.astype("timedelta64[h]")
        frame = pl.DataFrame({"hour": at.astype("datetime64[us]"), **columns})
        rows.append(frame.hstack(names[series]).with_columns(status=pl.lit(status)))
    newcomers = [
        (datetime(i.subject.date.year, i.subject.date.month, i.subject.date.day, 12), 5, *named, "success")
        for i in world.incidents
        if i.kind.startswith("new ")
        for named in [(i.subject.source, i.subject.action or "first")]
    ]
    rows.append(pl.DataFrame(newcomers, schema=rows[0].schema, orient="row"))
    table = pl.concat(rows).with_columns(pl.col("hour").dt.replace_time_zone("UTC"))
    return table.select("hour", "source", "action", "status", "count")
