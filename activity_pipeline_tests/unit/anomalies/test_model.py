from __future__ import annotations

import pytest

from activity_pipeline.anomalies.model import DetectionSettings
from activity_pipeline.errors import SettingsError


def test_history_is_two_baselines() -> None:
    assert DetectionSettings(weeks=4).history_days == 2 * 28


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("weeks", 1),
        ("min_same_weekdays", 9),
        ("min_history_days", 1),
        ("q", 0.0),
        ("max_p", 1.0),
        ("min_ratio", 1.0),
        ("min_events", 0.0),
        ("min_failure_ratio", 0.5),
        ("min_failure_share", 1.0),
        ("min_failures", 0),
    ],
)
def test_settings_out_of_bounds_are_refused(setting: str, value: float) -> None:
    with pytest.raises(SettingsError, match=f"{setting}={value}") as caught:
        DetectionSettings(**{setting: value})  # type: ignore[arg-type]
    assert vars(caught.value) == {"setting": setting, "value": value}
