"""How much of what was planted is found, and how often there is an alarm without a reason."""

from __future__ import annotations

import time
from typing import Final

import polars as pl

from activity_pipeline.anomalies.detect import detect, detect_hours, detect_users
from activity_pipeline.anomalies.newcomers import find_newcomers
from activity_pipeline.bench.anomalies.incidents import Score
from activity_pipeline.bench.anomalies.people import People, simulate_people
from activity_pipeline.bench.anomalies.traffic import Traffic, first_seen, simulate
from activity_pipeline.bench.figures import Figure, Report
from activity_pipeline.bench.machine import describe
from activity_pipeline.bench.turns import Say

FIRST_SEED: Final = 10
"""Those before it are what the detector was tuned on."""

TARGETS: Final = {("spike", "3 x", "large"), ("drop", "0.5 x", "large"), ("failures", "3 x", "large")}
RECALL: Final = 0.95
ALARMS: Final = 1.0


def measure_anomalies(*, seeds: int, series: int, say: Say) -> Report:
    """Simulate traffic with incidents, judge it as the pipeline does, and score the flags.

    Args:
        seeds: How many simulations.
        series: (source, action) in each.
        say: Told of each simulation.
    """
    score, of_users, tested, user_days = Score(), Score(), 0, 0
    for seed in range(FIRST_SEED, FIRST_SEED + seeds):
        traffic = simulate(seed, series=series)
        started = time.perf_counter()
        flags = judge(traffic)
        score.seconds += time.perf_counter() - started
        score.add(traffic.incidents, flags, traffic.excused)
        tested += traffic.series * len(traffic.days)
        people = simulate_people(seed)
        of_users.add(people.incidents, judge_people(people), ())
        user_days += people.user_days
        say(f"seed {seed}: {flags.height} flags, {len(traffic.incidents)} incidents")
    figures: list[Figure] = []
    for key in sorted(score.planted):
        kind, strength, group = key
        if group == ("all" if kind.startswith("new ") else "large"):
            name = f"{kind}, {strength}: found of {score.planted[key]:,}"
            target = RECALL if key in TARGETS else None
            figures.append(Figure(name, score.recall(*key), "share", target))
            known = score.possible[key] / score.planted[key]
            if known < 1:
                figures.append(Figure(f"{kind}, {strength}: by who knows the true rates", known, "share"))
    alarms = {kind: 1000 * count / tested for kind, count in sorted(score.false_alarms.items())}
    figures += [
        Figure(f"false alarms, {kind}", value, "/1,000 series-days") for kind, value in alarms.items()
    ]
    figures += [
        Figure("false alarms", sum(alarms.values()), "/1,000 series-days", ALARMS, "at most"),
        Figure("series-days judged", tested / score.seconds, "1/s"),
    ]
    for key in sorted(of_users.planted):
        if key[2] == "all":
            name = f"{key[0]}, {key[1]}: found of {of_users.planted[key]:,}"
            figures.append(Figure(name, of_users.recall(*key), "share"))
    for kind, count in sorted(of_users.false_alarms.items()):
        figures.append(Figure(f"false alarms, {kind}", 1000 * count / user_days, "/1,000 user-days"))
    sizes = {
        "simulations": seeds,
        "series": series,
        "series-days judged": tested,
        "user-days judged": user_days,
    }
    return Report(describe(packages=("numpy", "polars", "scipy")), sizes, figures, {})


def judge(traffic: Traffic) -> pl.DataFrame:
    """Return the flags of the judged days: columns date, kind, source, action, user_id."""
    by_day = detect(traffic.daily, traffic.days, through=traffic.days[-1])
    by_hour = detect_hours(traffic.hourly, by_day, traffic.days, through=traffic.days[-1])
    found = pl.concat([by_day, by_hour, find_newcomers(first_seen(traffic.daily), traffic.days)])
    return found.select("date", "kind", "source", "action", user_id=pl.lit(None, pl.String))


def judge_people(people: People) -> pl.DataFrame:
    """Return the flags of users on the judged days, with the same columns."""
    found = detect_users(people.daily, people.days)
    return found.select("date", "kind", "source", "action", pl.col("user_id").cast(pl.String))
