"""When an operation is slow."""

from __future__ import annotations

import pytest

from activity_pipeline.errors import SettingsError
from activity_pipeline.operations.model import OPERATIONS, Histogram
from activity_pipeline.operations.thresholds import DEFAULT_P95_MS, degradation, parse_thresholds
from activity_pipeline.settings import load_settings


def took(seconds: float, times: int) -> Histogram:
    histogram = Histogram()
    histogram.add(seconds, times=times)
    return histogram


def week(seconds: float, hours: int, times: int = 40) -> list[Histogram]:
    """Return hours of which one was very slow: the median does not mind."""
    return [took(1000.0, times), *(took(seconds, times) for _ in range(hours - 1))]


def test_every_operation_has_a_threshold() -> None:
    assert set(DEFAULT_P95_MS) == set(OPERATIONS)


def test_a_setting_goes_over_the_defaults() -> None:
    thresholds = parse_thresholds(" export=60000, query = 0.5,")
    assert (thresholds["export"], thresholds["query"]) == (60.0, 0.0005)
    assert thresholds["drain"] == DEFAULT_P95_MS["drain"] / 1000


@pytest.mark.parametrize(
    "text", ["exports=1", "export", "export=", "export=-1", "export=inf", "export=nan", "=1"]
)
def test_what_makes_no_sense_is_said_when_settings_are_read(text: str) -> None:
    with pytest.raises(SettingsError, match="ACTIVITY_OPERATION_P95_MS"):
        load_settings({"ACTIVITY_OPERATION_P95_MS": text}, dotenv="")


@pytest.mark.parametrize(
    ("now", "before", "threshold", "reason"),
    [
        (took(64, 1), [], 60, "threshold"),
        (took(57, 1), [], 60, None),
        (took(61, 1), [], 0, None),
        (Histogram(), week(10, 9), 60, None),
        (took(34, 20), week(10, 6), 60, "history"),
        (took(27, 20), week(10, 6), 60, None),
        (took(34, 19), week(10, 6), 60, None),
        (took(34, 20), week(10, 5), 60, None),
        (took(34, 20), week(10, 6, times=33), 60, None),
        (took(5, 20), week(1, 6), 60, None),
    ],
    ids=[
        "over the threshold",
        "below it",
        "not watched",
        "not called",
        "thrice its week",
        "not quite",
        "few calls",
        "a short week",
        "few calls in it",
        "quick all the same",
    ],
)
def test_slow_is(now: Histogram, before: list[Histogram], threshold: float, reason: str | None) -> None:
    found = degradation("export", now, before, threshold)
    assert (found.reason if found else None) == reason


def test_it_is_said_in_a_sentence() -> None:
    slow = degradation("query", took(2.0, 20), week(0.1, 6), 1.0)
    assert str(slow) == "query: p95 2 s over 20 calls, above its limit of 1 s"
    slower = degradation("query", took(0.9, 20), week(0.1, 6), 1.0)
    assert "above 3 times its week's" in str(slower)
    assert str(slower).endswith(" ms")
