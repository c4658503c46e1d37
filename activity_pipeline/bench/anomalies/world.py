"""Traffic of many series by hour before anything is planted in it.

Made of what real systems do rather than of what a detector assumes: sessions of several events, days that
are busier than others for no reason and drag the next one along, growth, weekends, office hours and
nightly jobs, deploys that move a level for good, outages of the collection itself. No count is drawn
from the distribution that the detector tests against.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from activity_pipeline.bench.anomalies.incidents import Incident, Subject

FIRST_DAY: Final = date(2026, 1, 5)
HISTORY_DAYS: Final = 119
"""Days before the first judged one: what a verdict looks back on, and a week."""

JUDGED_DAYS: Final = 56
SERIES_PER_SOURCE: Final = 10
SHIFT_DAYS: Final = 7
"""How long a new level is news."""

HOURS: Final = 24
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Planted:
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
class World:
    """The series while they are made: rates, shape (series, days, 24), and what was planted."""

    rng: np.random.Generator
    names: list[tuple[str, str]]
    rate: Array
    failing: Array
    session: Array
    wander: Array
    noise: Array
    planted: list[Planted] = field(default_factory=list)
    incidents: list[Incident] = field(default_factory=list)
    excused: set[Subject] = field(default_factory=set)

    @property
    def width(self) -> int:
        """Days."""
        return int(self.rate.shape[1])

    def subject(self, series: int, day: int) -> Subject:
        """Return a series on a day."""
        return Subject(day_of(day), *self.names[series])


def day_of(index: int) -> date:
    """Return a day by its number."""
    return FIRST_DAY + timedelta(days=index)


def quiet_world(rng: np.random.Generator, series: int) -> World:
    """Return so many series in which nothing was planted."""
    width = HISTORY_DAYS + JUDGED_DAYS
    names = [(f"s{n // SERIES_PER_SOURCE:03}", f"a{n:04}") for n in range(series)]
    base = np.exp(rng.uniform(np.log(2), np.log(5000), series))
    day = np.arange(width)
    growth = np.exp(rng.normal(0, 0.0015, series)[:, None] * day)
    weekend = np.where(
        rng.random(series) < 0.25, rng.uniform(0.9, 1.1, series), rng.uniform(0.1, 0.7, series)
    )
    week = np.where(day % 7 >= 5, weekend[:, None], 1 + 0.08 * rng.normal(size=(series, 7))[:, day % 7])
    wander = np.zeros((series, width))
    step = rng.uniform(0.02, 0.10, series)
    for at in range(1, width):  # a busy day is followed by another
        wander[:, at] = 0.6 * wander[:, at - 1] + step * rng.standard_t(6, series)
    world = World(
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
    shares: Array = shape / shape.sum(axis=1, keepdims=True)
    return shares


def _deploy(world: World) -> None:
    """Move levels for good, about once in 150 days, and lose whole days of a source now and then."""
    rng, width = world.rng, world.width
    for series in range(len(world.names)):
        for day in map(int, np.flatnonzero(rng.random(width) < 1 / 150)):
            world.rate[series, day:] *= np.exp(rng.normal(0, 0.5))
            world.excused |= {world.subject(series, d) for d in range(day, min(day + SHIFT_DAYS, width))}
    sources = sorted({source for source, _ in world.names})
    for source in sources:
        for lost in np.flatnonzero(rng.random(width) < 1 / 200):
            silence(world, source, int(lost))


def silence(world: World, source: str, day: int) -> None:
    """Take a source's events of a day away; flags there are neither right nor wrong."""
    members = [n for n, (name, _) in enumerate(world.names) if name == source]
    world.rate[members, day] = 0
    world.excused |= {world.subject(n, day) for n in members}
    world.excused.add(Subject(day_of(day), source, ""))
