from __future__ import annotations

import json
import re
from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from functools import cache
from typing import Any
from uuid import UUID

import polars as pl
import pytest

from activity_pipeline.anomalies.detect import detect
from activity_pipeline.errors import SettingsError
from activity_pipeline.local.shop import BATCH_EVENTS, simulate
from activity_pipeline.local.shop_catalogue import ACTIONS
from activity_pipeline.local.shop_incidents import planted_incidents, score

UNTIL = datetime(2026, 3, 18, 14, 30, tzinfo=UTC)
FIELDS = {
    *("id", "timestamp", "source", "action", "entity_type", "entity_id", "user_id", "status", "metadata"),
}


@cache
def shop(days: int, events: int, seed: int) -> list[dict[str, Any]]:
    batches = list(simulate(days=days, events=events, seed=seed, until=UNTIL))
    assert all(0 < len(batch) <= BATCH_EVENTS for batch in batches)
    return [json.loads(line) for batch in batches for line in batch]


def daily(events: list[dict[str, Any]]) -> pl.DataFrame:
    counted = Counter((e["timestamp"][:10], e["source"], e["action"], e["status"]) for e in events)
    return pl.DataFrame(
        [(date.fromisoformat(day), *rest, count) for (day, *rest), count in counted.items()],
        schema={
            "date": pl.Date,
            "source": pl.String,
            "action": pl.String,
            "status": pl.String,
            "count": pl.Int64,
        },
        orient="row",
    )


@pytest.mark.parametrize(("days", "events"), [(60, 20_000), (10, 3_000), (1, 500), (60, 0)])
def test_events_are_as_many_as_asked_in_time_order_and_before_the_end(days: int, events: int) -> None:
    made = shop(days, events, 7)
    assert len(made) == events
    stamps = [datetime.fromisoformat(event["timestamp"]) for event in made]
    assert stamps == sorted(stamps)
    if stamps:
        assert stamps[-1] < UNTIL
        assert len({stamp.date() for stamp in stamps}) == days
        assert stamps[0].date() == UNTIL.date() - timedelta(days=days - 1)


def test_events_have_our_shape() -> None:
    made = shop(60, 20_000, 7)
    for event in made:
        assert set(event) == FIELDS
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", event["timestamp"])
        assert UUID(event["id"]).version == 7
        assert event["user_id"] is None or UUID(event["user_id"]).version == 4
        assert isinstance(event["metadata"], dict)
        assert any(isinstance(value, dict) for value in event["metadata"].values())
    assert len({event["id"] for event in made}) == len(made)
    assert {event["source"] for event in made} == {action.source.name for action in ACTIONS}
    assert any(not json.dumps(event["metadata"], ensure_ascii=False).isascii() for event in made)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    def lines(seed: int, until: datetime = UNTIL) -> list[list[bytes]]:
        return list(simulate(days=30, events=1_000, seed=seed, until=until))

    assert lines(1) == lines(1) == lines(1, UNTIL.astimezone(timezone(timedelta(hours=-9))))
    assert lines(1) != lines(2)


def test_days_and_hours_have_a_rhythm() -> None:
    made = shop(60, 100_000, 3)
    warehouse = Counter(
        date.fromisoformat(e["timestamp"][:10]).weekday() for e in made if e["source"] == "warehouse"
    )
    assert warehouse[6] * 3 < warehouse[2]
    by_hour = Counter((e["source"], int(e["timestamp"][11:13])) for e in made)
    assert by_hour["web_shop", 19] > 5 * by_hour["web_shop", 3]
    assert by_hour["nightly_jobs", 2] > 5 * by_hour["nightly_jobs", 15]
    today = sum(event["timestamp"][:10] == UNTIL.date().isoformat() for event in made)
    assert 0.35 < today / (len(made) / 60) < 0.75
    users = Counter(event["user_id"] for event in made if event["user_id"])
    assert len(users) > 1_500
    assert users.most_common(1)[0][1] > 20 * sorted(users.values())[len(users) // 2]


@pytest.mark.parametrize("seed", [3, pytest.param(4, marks=pytest.mark.slow)])
def test_the_planted_incidents_are_found_and_little_else(seed: int) -> None:
    incidents = planted_incidents(days=60, seed=seed, until=UNTIL)
    metrics = daily(shop(60, 100_000, seed))
    judged = [UNTIL.date() - timedelta(days=offset) for offset in range(60)]
    report = score(incidents, detect(metrics, judged, through=UNTIL.date() - timedelta(days=1)))
    assert report.missed == ()
    assert report.found == incidents
    assert report.other.height <= 3


@pytest.mark.parametrize("seed", range(20))
def test_incidents_lie_where_they_can_be_judged(seed: int) -> None:
    incidents = planted_incidents(days=60, seed=seed, until=UNTIL)
    assert sorted(incident.kind for incident in incidents) == [
        "drop",
        "failure_rate",
        "silent_source",
        "spike",
    ]
    ages = [(UNTIL.date() - incident.date).days for incident in incidents]
    assert ages == sorted(set(ages), reverse=True)
    assert all(0 < age < 60 - 21 for age in ages)
    assert [incident.kind for incident, age in zip(incidents, ages, strict=True) if age < 30] == [
        "failure_rate"
    ]


@pytest.mark.parametrize(("days", "number"), [(1, 0), (10, 0), (22, 0), (23, 1), (25, 3), (26, 4), (400, 4)])
def test_a_short_shop_has_fewer_incidents(days: int, number: int) -> None:
    incidents = planted_incidents(days=days, seed=5, until=UNTIL)
    assert len({incident.date for incident in incidents}) == len(incidents) == number


def test_score_counts_what_was_missed_and_what_nobody_planted() -> None:
    incidents = planted_incidents(days=60, seed=3, until=UNTIL)
    metrics = daily(shop(60, 100_000, 3))
    judged = [UNTIL.date() - timedelta(days=offset) for offset in range(60)]
    anomalies = detect(metrics, judged, through=UNTIL.date() - timedelta(days=1))
    report = score(incidents[:2], anomalies.filter(pl.col("date") != incidents[0].date))
    assert report.found == incidents[1:2]
    assert report.missed == incidents[:1]
    assert {incident.date for incident in incidents[2:]} <= set(report.other["date"])
    assert score((), anomalies).other.equals(anomalies)
    assert score(incidents, anomalies.clear()).missed == incidents


@pytest.mark.parametrize(
    "wrong", [{"days": 0}, {"events": -1}, {"seed": -1}, {"until": UNTIL.replace(tzinfo=None)}]
)
def test_impossible_shops_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        simulate(**{"days": 10, "events": 10, "seed": 1, "until": UNTIL, **wrong})
