"""What the simulations plant, and how the libraries' limits are chosen."""

from __future__ import annotations

import sys
from datetime import date
from itertools import pairwise

import polars as pl
import pytest

from activity_pipeline.bench.anomalies import libraries
from activity_pipeline.bench.anomalies.incidents import Subject
from activity_pipeline.bench.anomalies.libraries import measure_libraries
from activity_pipeline.bench.anomalies.measure import judge_people
from activity_pipeline.bench.anomalies.people import simulate_people
from activity_pipeline.bench.anomalies.traffic import Traffic
from activity_pipeline.errors import SettingsError

DAY = date(2026, 5, 4)


def test_users_start_as_early_as_the_label_says() -> None:
    """Only the hour is cut to a whole one and the day to its midnight, so never earlier than planted."""
    early: dict[str, list[float]] = {}
    for seed in range(3):
        people = simulate_people(seed)
        usual = dict(people.daily.group_by("user_id").agg(pl.col("first_hour").median()).iter_rows())
        first = {(day, user): hour for day, user, hour in _first_hours(people.daily)}
        for one in people.incidents:
            user = one.subject.user_id
            if one.kind == "user hours" and first[one.subject.date, user] > 0:
                early.setdefault(one.strength, []).append(usual[user] - first[one.subject.date, user])
    assert set(early) == {"4 h early", "5 h early", "7 h early"}
    for label, hours in early.items():
        assert abs(sum(hours) / len(hours) - float(label.split()[0])) < 1


def test_what_is_planted_on_users_more_strongly_is_found_more_often() -> None:
    found: dict[str, list[bool]] = {}
    for seed in range(3):
        people = simulate_people(seed)
        flagged = set(judge_people(people).select("date", "user_id", "kind").iter_rows())
        for one in people.incidents:
            (kind,) = one.kinds
            found.setdefault(f"{one.kind}, {one.strength}", []).append(
                (one.subject.date, one.subject.user_id, kind) in flagged
            )
    recall = {label: sum(hits) / len(hits) for label, hits in found.items()}
    for kind, strengths in {
        "user volume": ("5 x", "10 x", "30 x"),
        "user failures": ("0.3 of all", "0.6 of all"),
        "user hours": ("4 h early", "7 h early"),
    }.items():
        shares = [recall[f"{kind}, {strength}"] for strength in strengths]
        assert all(weak < strong for weak, strong in pairwise(shares)), (kind, shares)


def test_as_many_days_lie_beyond_the_limit_as_there_may_be_alarms() -> None:
    """The planted and the excused days are left out, however far away they lie."""
    subjects = [Subject(DAY, "s", f"a{number}") for number in range(10)]
    distances = pl.DataFrame([(*one[:3], float(-number)) for number, one in enumerate(subjects)],
        schema=["date", "source", "action", "model"], orient="row")  # fmt: skip
    traffic = Traffic(pl.DataFrame(), pl.DataFrame(), [DAY], [], frozenset({subjects[9]}), 10)
    limit = libraries._limit("model", [traffic], [distances], 3)
    flags = libraries._flags(distances, "model", limit)
    assert libraries._false_alarms(traffic, flags) == 3
    assert set(flags["kind"]) == {"drop"}


def test_without_the_library_the_command_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast", None)
    with pytest.raises(SettingsError, match=r"install activity-pipeline\[peers\]"):
        measure_libraries(seeds=1, series=20, say=lambda _: None)


def _first_hours(daily: pl.DataFrame) -> list[tuple[date, str, int]]:
    return list(daily.select("date", "user_id", "first_hour").iter_rows())
