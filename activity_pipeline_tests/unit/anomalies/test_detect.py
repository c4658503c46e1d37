from __future__ import annotations

import random
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from activity_pipeline.anomalies.detect import detect
from activity_pipeline.anomalies.model import ANOMALY_SCHEMA, DetectionSettings

from .tables import SCHEMA, day, days, series, table, traffic

HISTORY = 70
LAST = 69


def found(anomalies: pl.DataFrame) -> list[tuple[date, str, str, str]]:
    return anomalies.select("date", "kind", "source", "action").rows()


def test_ordinary_traffic_is_not_flagged() -> None:
    metrics = table(*(series(traffic(200, HISTORY, seed), action=f"a{seed}") for seed in range(20)))
    assert detect(metrics, days(0, LAST), through=day(LAST)).height <= 1


def test_a_spike_is_found_and_explained() -> None:
    counts = traffic(100, HISTORY)
    counts[64] = 412
    anomalies = detect(table(series(counts)), days(0, LAST), through=day(LAST))
    assert found(anomalies) == [(day(64), "spike", "shop", "sold")]
    row = anomalies.row(0, named=True)
    assert row["observed"] == 412
    assert 70 < row["lower"] + 30 < row["expected"] < row["upper"] < 200
    assert row["p_value"] < 1e-10
    assert row["sentence"].startswith("shop/sold: 412 events on Tue 2026-03-10, ")
    assert row["sentence"].endswith(" for a Tuesday)")


def test_a_drop_is_found() -> None:
    counts = traffic(200, HISTORY)
    counts[64] //= 3
    other = series(traffic(100, HISTORY, seed=1), action="viewed")
    anomalies = detect(table(series(counts), other), days(0, LAST), through=day(LAST))
    assert found(anomalies) == [(day(64), "drop", "shop", "sold")]


def test_a_failing_action_is_found_once_and_its_volume_is_not_blamed() -> None:
    counts = traffic(200, HISTORY)
    failures = [count // 25 for count in counts]
    failures[64] = counts[64] // 3
    good = [count - failed for count, failed in zip(counts, failures, strict=True)]
    metrics = table(series(good), series(failures, status="Denied"))
    anomalies = detect(metrics, days(0, LAST), through=day(LAST))
    assert found(anomalies) == [(day(64), "failure_rate", "shop", "sold")]
    assert anomalies["observed"].item() == pytest.approx(1 / 3, abs=0.01)
    named_otherwise = DetectionSettings(failure_statuses=frozenset({"broken"}))
    assert detect(metrics, days(0, LAST), through=day(LAST), settings=named_otherwise).is_empty()


def test_a_silent_source_is_reported_once_and_not_as_drops() -> None:
    parts = []
    for seed in range(5):
        counts = traffic(100, HISTORY, seed)
        counts[64] = 0
        parts.append(series(counts, action=f"a{seed}"))
    anomalies = detect(table(*parts), days(0, LAST), through=day(LAST))
    assert found(anomalies) == [(day(64), "silent_source", "shop", "")]


def test_a_long_silence_says_since_when_and_ends_with_the_baseline() -> None:
    counts = traffic(300, HISTORY)
    alive = series(traffic(300, 140, 1), source="web")
    anomalies = detect(table(series(counts), alive), days(0, 139), through=day(139))
    silence = anomalies.filter(source="shop")
    assert silence["date"].to_list() == days(HISTORY, HISTORY + DetectionSettings().baseline_days - 1)
    assert set(silence["kind"]) == {"silent_source"}
    assert "silent for" not in silence["sentence"][0]
    assert silence["sentence"][9].endswith("silent for 10 days, since Mon 2026-03-16")
    assert silence["severity"].to_list() == ["critical"] * 7 + ["warning"] * 7 + ["info"] * 42


def test_a_source_that_rests_on_weekends_may_rest() -> None:
    counts = [count if index % 7 < 5 else 0 for index, count in enumerate(traffic(100, HISTORY))]
    assert detect(table(series(counts)), days(0, LAST), through=day(LAST)).is_empty()


def test_the_open_day_is_no_drop_and_not_silent_but_may_be_a_spike() -> None:
    partial, silent, spike = traffic(200, HISTORY), traffic(200, HISTORY, 1), traffic(200, HISTORY, 2)
    partial[LAST], silent[LAST], spike[LAST] = 3, 0, 2000
    metrics = table(
        series(partial), series(silent, source="quiet"), series(spike, source="loud", action="rang")
    )
    open_day = detect(metrics, [day(LAST)], through=day(LAST - 1))
    assert found(open_day) == [(day(LAST), "spike", "loud", "rang")]
    assert set(detect(metrics, [day(LAST)], through=day(LAST))["kind"]) == {"spike", "drop", "silent_source"}


def test_without_history_there_is_no_verdict() -> None:
    counts = [100, 100, 5000, 0, 100, 100, 1, 100, 900, 0, 100, 100, 100, 100]
    metrics = table(series(counts))
    assert detect(metrics, days(0, 13), through=day(13)).is_empty()
    assert detect(metrics, days(-5, 30), through=day(13)).filter(pl.col("date") < day(14)).is_empty()


def test_young_series_are_judged_by_all_their_days() -> None:
    counts = [100] * 17
    counts[15] = 1000
    anomalies = detect(table(series(counts)), days(0, 16), through=day(16))
    assert found(anomalies) == [(day(15), "spike", "shop", "sold")]
    assert anomalies["sentence"].item().endswith(" a day)")


def test_small_counts_do_not_alarm() -> None:
    rng = np.random.default_rng(3)
    metrics = table(*(series(rng.poisson(0.7, HISTORY).tolist(), action=f"a{i}") for i in range(50)))
    assert detect(metrics, days(0, LAST), through=day(LAST)).is_empty()


def test_a_small_change_of_a_huge_stable_series_is_not_worth_a_row() -> None:
    counts = [1_000_000] * HISTORY
    counts[60], counts[64] = 1_300_000, 750_000
    assert detect(table(series(counts)), days(0, LAST), through=day(LAST)).is_empty()


def test_a_new_level_is_news_for_about_a_week_and_so_is_nothing_after_it() -> None:
    counts = traffic(100, 60) + traffic(400, 60, 1)
    flagged = detect(table(series(counts)), days(0, 119), through=day(119))["date"].to_list()
    assert flagged[0] == day(60)
    assert flagged[-1] <= day(70)


def test_an_earlier_extreme_day_does_not_hide_the_next_one() -> None:
    counts = traffic(100, HISTORY)
    counts[50], counts[57], counts[64] = 900, 0, 400
    other = series(traffic(100, HISTORY, 1), action="viewed")
    anomalies = detect(table(series(counts), other), days(0, LAST), through=day(LAST))
    assert [row[:2] for row in found(anomalies)] == [
        (day(50), "spike"),
        (day(57), "drop"),
        (day(64), "spike"),
    ]


def test_the_false_discovery_rate_holds_over_many_series() -> None:
    rng = np.random.default_rng(11)
    counts = rng.negative_binomial(20, 20 / 120, (400, HISTORY))  # mean 100, 25 % above a Poisson's spread
    metrics = table(*(series(row.tolist(), action=f"a{i}") for i, row in enumerate(counts)))
    judged = detect(metrics, days(56, LAST), through=day(LAST))
    assert judged.height <= 0.001 * 400 * 14


def test_settings_change_the_verdict() -> None:
    counts = [100] * HISTORY
    counts[64] = 180
    metrics = table(series(counts))
    assert detect(metrics, [day(64)], through=day(LAST)).height == 1
    strict = DetectionSettings(min_ratio=2.0)
    assert detect(metrics, [day(64)], through=day(LAST), settings=strict).is_empty()


def busy(seed: int) -> pl.DataFrame:
    """Traffic of 4 sources over 150 days, with anomalies of every kind."""
    rng = np.random.default_rng(seed)
    parts = []
    for index in range(12):
        mean = np.exp(rng.uniform(3, 6)) * rng.choice([0.1, 1, 5], 150, p=[0.04, 0.92, 0.04])
        if index % 4 == 0:
            mean[100:122] = 0
        good, bad = rng.poisson(mean), rng.poisson(mean * rng.choice([0.02, 0.5], 150, p=[0.95, 0.05]))
        name = {"source": f"s{index % 4}", "action": f"a{index}"}
        parts += [series(good.tolist(), **name), series(bad.tolist(), **name, status="failed")]
    return table(*parts)


@pytest.mark.parametrize("seed", range(2))
def test_a_day_alone_gives_the_same_rows_as_within_a_range(seed: int) -> None:
    metrics = busy(seed)
    through = day(140)
    judged = days(80, 149)
    whole = detect(metrics, judged, through=through)
    assert set(whole["kind"]) == {"spike", "drop", "failure_rate", "silent_source"}
    alone = [detect(metrics, [one], through=through) for one in judged]
    assert_frame_equal(pl.concat(alone), whole, check_exact=True)


def test_neither_later_days_nor_older_ones_nor_the_order_of_rows_matter() -> None:
    metrics, judged = busy(5), days(120, 123)
    expected = detect(metrics, judged, through=day(149))
    assert not expected.is_empty()
    oldest = min(judged) - timedelta(days=DetectionSettings().history_days)
    needed = metrics.filter(pl.col("date").is_between(oldest, max(judged)))
    assert_frame_equal(detect(needed, judged, through=day(149)), expected, check_exact=True)
    shuffled = needed.sample(fraction=1, shuffle=True, seed=1)
    assert_frame_equal(detect(shuffled, judged[::-1], through=day(149)), expected, check_exact=True)


def test_blocks_of_series_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = busy(6)
    expected = detect(metrics, days(0, 149), through=day(149))
    monkeypatch.setattr("activity_pipeline.anomalies.grid.BLOCK_CELLS", 1)
    assert_frame_equal(detect(metrics, days(0, 149), through=day(149)), expected, check_exact=True)


@st.composite
def small_tables(draw: st.DrawFn) -> pl.DataFrame:
    cell = st.tuples(
        st.integers(0, 40).map(day),
        st.sampled_from(["shop", "web", "näch\nt", "s{}%s"]),
        st.sampled_from(["sold", "", "\x1b[31m", "日本"]),
        st.sampled_from(["success", "FAILED", "error", "reverted"]),
        st.one_of(st.integers(0, 3), st.integers(0, 10**12)),
    )
    rows = draw(st.lists(cell, max_size=20))
    repeat = draw(st.sampled_from([1, 5, 30]))
    return table(
        ((when + timedelta(days=shift), *rest) for when, *rest in rows for shift in range(repeat)),  # type: ignore[misc]
    )


@settings(max_examples=50, deadline=None)
@given(
    metrics=small_tables(),
    judged=st.lists(st.integers(-3, 80).map(day), max_size=30),
    through=st.integers(-5, 90).map(day),
    weeks=st.integers(2, 9),
    order=st.randoms(use_true_random=False),
)
def test_any_table_gives_the_schema_and_readable_sentences(
    metrics: pl.DataFrame, judged: list[date], through: date, weeks: int, order: random.Random
) -> None:
    limits = DetectionSettings(weeks=weeks, min_same_weekdays=2, min_history_days=7, max_p=0.05)
    anomalies = detect(metrics, judged, through=through, settings=limits)
    assert anomalies.schema == ANOMALY_SCHEMA
    assert set(anomalies["date"]) <= set(judged)
    assert anomalies.drop("hour").null_count().sum_horizontal().item() == 0
    for row in anomalies.iter_rows(named=True):
        assert row["lower"] <= row["upper"]
        assert not row["lower"] <= row["observed"] <= row["upper"]
        assert 0 < row["p_value"] <= 0.05
        assert row["sentence"].isprintable()
        assert not any(word in row["sentence"] for word in (" nan", " inf", "None", " -0"))
        assert row["kind"] not in {"drop", "silent_source"} or row["date"] <= through
    rows = metrics.rows()
    order.shuffle(rows)
    again = detect(pl.DataFrame(rows, schema=SCHEMA, orient="row"), judged, through=through, settings=limits)
    assert_frame_equal(again, anomalies, check_exact=True)
