"""The detectors on events and counts that nobody made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from activity_pipeline.bench.anomalies.online import measure_online
from activity_pipeline.bench.anomalies.real import SHOWN, measure_real


@pytest.mark.slow
def test_the_great_move_of_terraform_comes_first(real_data: Path) -> None:
    report = measure_real(real_data / "git_events_terraform.ndjson.gz", say=lambda _: None)
    ((_, rows),) = report.tables.items()
    assert len(rows) == SHOWN
    assert str(rows[0]["date"]) == "2017-06-12"
    assert rows[0]["severity"] == "critical"


def test_counts_of_minutes_are_judged_better_than_the_baseline_does(real_data: Path) -> None:
    report = measure_online(real_data / "nab_counts", say=lambda _: None)
    scores = {figure.name: figure.value for figure in report.figures}
    assert scores["score, ours"] > 65
    assert scores["score, ours"] > scores["score, windowed Gaussian"]
    assert scores["score, null detector"] == 0
