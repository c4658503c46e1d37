from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest

from activity_pipeline.anomalies.explain import sentence
from activity_pipeline.anomalies.model import Severity
from activity_pipeline.anomalies.severity import severity
from activity_pipeline.anomalies.verdict import Verdict

SPIKE = Verdict(
    date=date(2026, 3, 3),
    kind="spike",
    source="shop",
    action="payment_failed",
    observed=412,
    expected=36,
    lower=20,
    upper=55,
    events=412,
    seasonal=True,
    silent_days=0,
)
DROP = replace(SPIKE, kind="drop", observed=3, expected=1200, lower=1000, upper=1400)
SHARE = replace(SPIKE, kind="failure_rate", observed=0.4, expected=0.02, lower=0, upper=0.06, events=1000)
SILENCE = replace(SPIKE, kind="silent_source", action="", observed=0, silent_days=1)


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (
            SPIKE,
            "shop/payment_failed: 412 events on Tue 2026-03-03, 11 times the usual 36 "
            "(expected 20 to 55 for a Tuesday)",
        ),
        (
            replace(SPIKE, expected=0.2, lower=0, upper=4, seasonal=False),
            "shop/payment_failed: 412 events on Tue 2026-03-03, where hardly any is usual "
            "(expected 0 to 4 a day)",
        ),
        (
            DROP,
            "shop/payment_failed: 3 events on Tue 2026-03-03, 0% of the usual 1,200 "
            "(expected 1,000 to 1,400 for a Tuesday)",
        ),
        (
            replace(DROP, observed=0),
            "shop/payment_failed: 0 events on Tue 2026-03-03, none instead of the usual 1,200 "
            "(expected 1,000 to 1,400 for a Tuesday)",
        ),
        (
            SHARE,
            "shop/payment_failed: 40.0% of 1,000 events failed on Tue 2026-03-03, 20 times the usual 2.0% "
            "(expected at most 6.0%)",
        ),
        (
            replace(SHARE, expected=0.0001, upper=0.001),
            "shop/payment_failed: 40.0% of 1,000 events failed on Tue 2026-03-03, where hardly any does "
            "(expected at most 0.1%)",
        ),
        (
            SILENCE,
            "shop: no event on Tue 2026-03-03, the usual is 36 (expected 20 to 55 for a Tuesday)",
        ),
        (
            replace(SILENCE, silent_days=4),
            "shop: no event on Tue 2026-03-03, the usual is 36 (expected 20 to 55 for a Tuesday), "
            "silent for 4 days, since Sat 2026-02-28",
        ),
    ],
)
def test_sentences(verdict: Verdict, expected: str) -> None:
    assert sentence(verdict) == expected


def test_control_characters_are_escaped() -> None:
    hostile = replace(SPIKE, source="a\nb", action="\x1b[31mré\u202e")
    assert sentence(hostile).startswith("a\\nb/\\x1b[31mré\\u202e: ")


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [
        (SPIKE, "critical"),
        (replace(SPIKE, observed=100), "warning"),
        (replace(SPIKE, observed=60), "info"),
        (replace(SPIKE, observed=45, expected=1, upper=4), "warning"),
        (DROP, "critical"),
        (replace(DROP, observed=600), "warning"),
        (replace(DROP, observed=700), "info"),
        (replace(DROP, observed=0, expected=20), "warning"),
        (SHARE, "warning"),
        (replace(SHARE, observed=0.5), "critical"),
        (replace(SHARE, observed=0.05), "info"),
        (SILENCE, "warning"),
        (replace(SILENCE, expected=60), "critical"),
        (replace(SILENCE, silent_days=2), "critical"),
        (replace(SILENCE, silent_days=8), "warning"),
        (replace(SILENCE, silent_days=15), "info"),
    ],
)
def test_severities(verdict: Verdict, expected: Severity) -> None:
    assert severity(verdict) == expected
