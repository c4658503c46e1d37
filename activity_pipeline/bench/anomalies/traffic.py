"""Simulated traffic of many series by hour, with incidents in it.

Made of what real systems do rather than of what a detector assumes: sessions of several events,
days that are busier than others for no reason and drag the next one along, growth, weekends, office
hours and nightly jobs, deploys that move a level for good, outages of the collection itself. No count is drawn
from the distribution that the detector tests against.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from activity_pipeline.bench.anomalies.incidents import Incident, Subject

FIRST_DAY: Final = date(2026, 1, 5)
HISTORY_DAYS: Final = 119
"""Days before the first judged one: what a verdict looks back on, and a week."""

JUDGED_DAYS: Final = 56
SERIES_PER_SOURCE: Final = 10
INCIDENT_SHARE: Final = 0.05
"""Of the judged series-days."""

APART_DAYS: Final = 12
"""Between two incidents of one series, so that each is judged on its own."""

SHIFT_DAYS: Final = 7
"""How long a new level is news."""

HOURS: Final = 24
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

Array = npt.NDArray[np.float64]


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


@dataclass(frozen=True, slots=True)
class _Planted:
    """An incident before its events are drawn: in which hours, and what they would have had without it."""

    kind: str
    strength: str
    series: int
    day: int
    hours: npt.NDArray[np.int64]
    usual: float
    usual_of_day: float
    usual_failures: float


@dataclass(slots=True)
class _World:
    """The series while they are made: rates, shape (series, days, 24), and what was planted."""

    rng: np.random.Generator
    names: list[tuple[str, str]]
    rate: Array
    failing: Array
    session: Array
    wander: Array
    noise: Array
    planted: list[_Planted] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    excused: set[Subject] = field(default_factory=set)

    @property
    def width(self) -> int:
        return self.rate.shape[1]

    def subject(self, series: int, day: int) -> Subject:
        return Subject(day_of(day), *self.names[series])


def simulate(seed: int, *, series: int = 120, incidents: bool = True) -> Traffic:
    """Make traffic.

    Args:
        seed: Of everything random.
        series: How many (source, action).
        incidents: Whether any are planted.
    """
    rng = np.random.default_rng((seed, 7))
    world = _quiet_world(rng, series)
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


def day_of(index: int) -> date:
    """Return a day by its number."""
    return FIRST_DAY + timedelta(days=index)


def _quiet_world(rng: np.random.Generator, series: int) -> _World:
    width = HISTORY_DAYS + JUDGED_DAYS
    names = [(f"s{n // SERIES_PER_SOURCE:03}", f"a{n:04}") for n in range(series)]
    base = np.exp(rng.uniform(np.log(2), np.log(5000), series))
    day = np.arange(width)
    growth = np.exp(rng.normal(0, 0.0015, series)[:, None] * day)
    weekend = np.where(rng.random(series) < 0.25, rng.uniform(0.9, 1.1, series), rng.uniform(0.1, 0.7, series))
    week = np.where(day % 7 >= 5, weekend[:, None], 1 + 0.08 * rng.normal(size=(series, 7))[:, day % 7])
    wander = np.zeros((series, width))
    step = rng.uniform(0.02, 0.10, series)
    for at in range(1, width):  # a busy day is followed by another
        wander[:, at] = 0.6 * wander[:, at - 1] + step * rng.standard_t(6, series)
    world = _World(
        rng=rng,
        names=names,
        rate=np.empty(0),
        failing=np.exp(rng.uniform(np.log(0.002), np.log(0.2), series))[:, None] * np.ones(width),
        session=rng.choice([1.0, 1.3, 2.0, 4.0], series, p=[0.4, 0.3, 0.2, 0.1]),
        wander=step,
        noise=rng.uniform(0.0, 0.3, series),
    )
    level = base[:, None] * growth * np.maximum(week, 0.05) * np.exp(wander)
    world.rate = level[:, :, None] * _hours(rng, series)[:, None, :]
    _deploy(world)
    return world


def _hours(rng: np.random.Generator, series: int) -> Array:
    """Shares of the day's events by hour: office hours, evenings, a nightly job, or none of it."""
    hour = np.arange(24)
    shape = np.empty((series, 24))
    for n in range(series):
        peak, width = rng.choice([11.0, 15.0, 20.0]) + rng.normal(0, 1), rng.uniform(2, 5)
        bump = np.exp(-0.5 * (((hour - peak + 12) % 24 - 12) / width) ** 2)
        kind = rng.random()
        if kind < 0.1:
            shape[n] = np.where(hour == int(rng.integers(0, 6)), 1.0, 0.01)
        elif kind < 0.2:
            shape[n] = 1.0
        else:
            shape[n] = bump + rng.uniform(0.01, 0.3)
    return shape / shape.sum(axis=1, keepdims=True)


def _deploy(world: _World) -> None:
    """Move levels for good, about once in 150 days, and lose whole days of a source now and then."""
    rng, width = world.rng, world.width
    for series in range(len(world.names)):
        for day in np.flatnonzero(rng.random(width) < 1 / 150):
            world.rate[series, day:] *= np.exp(rng.normal(0, 0.5))
            world.excused |= {world.subject(series, d) for d in range(day, min(day + SHIFT_DAYS, width))}
    sources = sorted({source for source, _ in world.names})
    for source in sources:
        for day in np.flatnonzero(rng.random(width) < 1 / 200):
            _silence(world, source, int(day))


def _silence(world: _World, source: str, day: int) -> None:
    members = [n for n, (name, _) in enumerate(world.names) if name == source]
    world.rate[members, day] = 0
    world.excused |= {world.subject(n, day) for n in members}
    world.excused.add(Subject(day_of(day), source, ""))


def _plant(world: _World, judged: range) -> None:
    rng = world.rng
    last = np.full(len(world.names), -APART_DAYS)
    chosen = rng.random((len(world.names), world.width)) < INCIDENT_SHARE
    for day in judged:
        if rng.random() < 0.1:
            source = world.names[int(rng.integers(len(world.names)))][0]
            usual = float(sum(world.rate[n, day].sum() for n, name in enumerate(world.names) if name[0] == source))
            _silence(world, source, day)
            subject = Subject(day_of(day), source, "")
            world.incidents.append(
                Incident("silent source", "1 day", subject, usual, 0.0, SHOWN_BY["silent source"])
            )
        for series in np.flatnonzero(chosen[:, day] & (day - last >= APART_DAYS)):
            if world.subject(int(series), day) not in world.excused:
                last[series] = day
                _plant_one(world, int(series), day)


def _plant_one(world: _World, series: int, day: int) -> None:
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
    world.planted.append(_Planted(kind, label, series, day, hours, before, of_day, of_day * failing))


def _judged_knowing_all(world: _World, one: _Planted, events: Array, failures: Array) -> Incident:
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


def _events(world: _World) -> tuple[Array, Array]:
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


def _plant_newcomers(world: _World, judged: range) -> None:
    """Name actions and sources that were never there; `_table` gives them their events."""
    for day in judged:
        if world.rng.random() < 0.1:
            source = world.names[int(world.rng.integers(len(world.names)))][0]
            subject = Subject(day_of(day), source, f"new{day}")
            world.incidents.append(Incident("new action", "5 events", subject, 0, 0, SHOWN_BY["new action"]))
        if world.rng.random() < 0.05:
            subject = Subject(day_of(day), f"new{day}", "")
            world.incidents.append(Incident("new source", "5 events", subject, 0, 0, SHOWN_BY["new source"]))


def _table(world: _World, events: Array, failures: Array) -> pl.DataFrame:
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
