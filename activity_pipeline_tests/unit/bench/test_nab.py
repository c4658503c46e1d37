"""The benchmark's scoring against values worked out by hand from its published rules."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from activity_pipeline.bench.anomalies.nab import (
    NEVER,
    BenchmarkFilesError,
    Labelled,
    at_threshold,
    best_threshold,
    evaluate,
    read,
    row_worth,
    sigmoid,
)

START = datetime(2026, 1, 1)
BEST = 0.9866143  # 2 / (1 + e^-5) - 1


def labelled(rows: int, *windows: tuple[int, int]) -> Labelled:
    times = [START + timedelta(minutes=5 * row) for row in range(rows)]
    return Labelled("tiny", times, np.zeros(rows), list(windows))


def alarms(rows: int, *at: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    flagged = np.zeros(rows, dtype=np.bool_)
    flagged[list(at)] = True
    return flagged


def test_the_sigmoid_is_the_published_one() -> None:
    positions = np.array([-1.0, -0.25, 0.0, 1.0, 3.0, 3.01])
    assert sigmoid(positions) == pytest.approx([BEST, 0.5545998, 0.0, -BEST, -0.9999994, -1.0], abs=1e-7)


def test_each_row_is_worth_what_its_place_says() -> None:
    worth, window = row_worth(labelled(30, (10, 13)))
    assert window.tolist() == [-1] * 10 + [0] * 4 + [-1] * 16
    assert worth[:4].tolist() == [0.0] * 4  # the probation, 15 % of 30 rows
    assert worth[5] == pytest.approx(-0.11)  # nothing before it
    assert worth[10] == pytest.approx(1.0)  # the window's start: a whole width from its end
    assert worth[13] == pytest.approx(0.5545998 / BEST)  # its last row: a quarter of the width
    assert worth[16] == pytest.approx(-0.11 * BEST)  # 3 rows after, over a width less one
    assert worth[23] == pytest.approx(-0.11)  # more than three widths after


def test_a_series_scores_its_windows_best_alarm_and_each_one_outside() -> None:
    series = labelled(30, (10, 13), (20, 23))
    scored = at_threshold([series], [alarms(30, 1, 5, 12, 13, 16)])
    at_12 = float(2 / (1 + np.exp(-2.5)) - 1) / BEST  # half of the width from the end
    assert scored.raw == [pytest.approx(at_12 - 1 - 0.11 - 0.11 * BEST)]
    assert (scored.found, scored.false_alarms, scored.windows) == ([1], [2], [2])
    assert scored.total == pytest.approx(100 * (scored.raw[0] + 2) / 4)


def test_a_perfect_detector_has_100_and_a_silent_one_0() -> None:
    series = [labelled(40, (10, 13), (20, 23)), labelled(40, (30, 35))]
    assert at_threshold(series, [alarms(40, 10, 20), alarms(40, 30)]).total == pytest.approx(100)
    assert at_threshold(series, [alarms(40), alarms(40)]).total == 0
    silent = evaluate([labelled(200, (40, 43))], [np.zeros(200)])  # to flag all would cost more
    assert (silent.threshold, silent.total) == (NEVER, 0)


def test_the_probation_is_at_most_750_rows() -> None:
    assert [labelled(rows).probation for rows in (30, 5000, 20_000)] == [4, 750, 750]


def test_the_threshold_is_the_best_of_all_that_the_scores_allow() -> None:
    rng = np.random.default_rng(7)
    series = [labelled(60, (20, 25), (40, 44)), labelled(50, (30, 39))]
    for _ in range(50):
        scores = [rng.integers(0, 8, len(one.counts)) / 8 for one in series]
        totals = {
            level: at_threshold(series, [score >= level for score in scores]).total
            for level in [NEVER, *np.arange(8) / 8]
        }
        chosen = best_threshold(series, scores)
        assert totals[chosen] == pytest.approx(max(totals.values()))


def test_the_files_are_read_and_what_is_wrong_with_them_is_said(tmp_path: Path) -> None:
    times = [f"2026-01-01 00:{minute:02}:00" for minute in range(0, 60, 5)]
    (tmp_path / "a.csv").write_text("timestamp,value\n" + "".join(f"{time},3\n" for time in times))
    labels = tmp_path / "combined_windows.json"
    labels.write_text(json.dumps({"a.csv": [[f"{times[2]}.000000", f"{times[4]}.000000"]]}))
    (one,) = read(tmp_path)
    assert (one.windows, one.per_day, len(one.counts)) == ([(2, 4)], 288, 12)
    labels.write_text(json.dumps({"a.csv": [["2026-01-01 00:01:00.000000", f"{times[4]}.000000"]]}))
    with pytest.raises(BenchmarkFilesError, match=r"a\.csv is not the benchmark's: the window"):
        read(tmp_path)
