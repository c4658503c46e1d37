"""Newcomers: what was never seen before is named once, and nothing on the first days of all."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest

from activity_pipeline.anomalies.model import ANOMALY_SCHEMA
from activity_pipeline.anomalies.newcomers import FIRST_SEEN_SCHEMA, find_newcomers

BEGIN = date(2026, 3, 1)


def day(number: int) -> date:
    return BEGIN + timedelta(days=number)


def seen(*rows: tuple[str, str, int, int]) -> pl.DataFrame:
    """Return actions with their first day's number and events."""
    return pl.DataFrame(
        [(source, action, day(first), events) for source, action, first, events in rows],
        schema=FIRST_SEEN_SCHEMA,
        orient="row",
    )


KNOWN = seen(
    ("shop", "paid", 0, 10),
    ("shop", "early", 13, 5),
    ("shop", "refunded", 20, 7),
    ("mail", "sent", 30, 60),
    ("mail", "opened", 30, 4),
    ("shop", "exported", 40, 900),
)


def test_each_newcomer_is_named_once() -> None:
    found = find_newcomers(KNOWN, [day(number) for number in range(50)])
    assert found.schema == ANOMALY_SCHEMA
    named = found.select("date", "kind", "source", "action", "observed", "severity").rows()
    assert named == [
        (day(20), "new_action", "shop", "refunded", 7.0, "info"),
        (day(30), "new_source", "mail", "", 64.0, "warning"),
        (day(40), "new_action", "shop", "exported", 900.0, "warning"),
    ]
    assert found["sentence"].to_list() == [
        "shop/refunded: an action never seen before, 7 events on Sat 2026-03-21",
        "mail: a source never seen before, 64 events on Tue 2026-03-31",
        "shop/exported: an action never seen before, 900 events on Fri 2026-04-10",
    ]


def test_the_p_value_is_how_often_a_day_brings_one() -> None:
    found = find_newcomers(KNOWN, [day(40)])
    # On two of the forty days before: one of them when nothing was judged yet.
    assert found["p_value"].to_list() == [pytest.approx(3 / 42)]


def test_a_day_alone_gives_the_same_rows_as_within_a_range() -> None:
    whole = find_newcomers(KNOWN, [day(number) for number in range(50)])
    alone = pl.concat([find_newcomers(KNOWN, [day(number)]) for number in range(50)])
    assert alone.equals(whole)


@pytest.mark.parametrize("known", [FIRST_SEEN_SCHEMA.to_frame(), KNOWN])
def test_no_newcomers(known: pl.DataFrame) -> None:
    assert find_newcomers(known, [day(number) for number in range(14)]).is_empty()
    assert find_newcomers(known, []).is_empty()
