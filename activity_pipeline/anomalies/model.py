"""What a verdict is: kinds, severities, the schema of the result and the settings.

No arithmetic lives here; the bounds and their reasons do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import polars as pl

from activity_pipeline.errors import SettingsError
from activity_pipeline.events.model import FAILURE_STATUSES

Kind = Literal[
    "spike",
    "drop",
    "failure_rate",
    "silent_source",
    "new_source",
    "new_action",
    "user_volume",
    "user_failures",
    "user_hours",
]
Severity = Literal["info", "warning", "critical"]

DAYS_OF_WEEK: Final = 7
HOURS_OF_DAY: Final = 24

ANOMALY_SCHEMA: Final = pl.Schema(
    {
        "date": pl.Date(),
        "hour": pl.Int16(),
        "kind": pl.String(),
        "source": pl.String(),
        "action": pl.String(),
        "user_id": pl.String(),
        "observed": pl.Float64(),
        "expected": pl.Float64(),
        "lower": pl.Float64(),
        "upper": pl.Float64(),
        "p_value": pl.Float64(),
        "severity": pl.String(),
        "sentence": pl.String(),
    }
)
"""One row per anomaly; `date`, `kind`, `source`, `action` and `user_id` tell one from another.

`hour` is set where the row is about one hour of the day, UTC. `action` is empty where the subject is a
whole source; source and action where it is a user, and `user_id` where it is none. `observed`,
`expected`, `lower` and `upper` are events, for `failure_rate` and `user_failures` shares from 0 to 1,
for `user_hours` hours of the day; `lower` to `upper` is the range that would not have been reported.
`p_value` is the raw one, before the correction for the number of tests.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DetectionSettings:
    """When a day is called unusual.

    Attributes:
        weeks: Length of the baseline. A day is judged against the same weekday of these weeks.
        min_same_weekdays: With fewer of them the baseline is all days of the weeks instead.
        min_history_days: No verdict on a series younger than this.
        q: False discovery rate over all tests of one day (Benjamini-Hochberg).
        max_p: Largest p-value that is reported however few series there are; it bounds false
            alarms per series and day, and the expected range covers `1 - max_p`.
        min_ratio: Smallest change of volume worth a row: this many times the expected, or the
            expected divided by it. Keeps huge, stable series from reporting 3 %.
        min_events: Smallest difference from the expected volume worth a row, in events.
        min_failure_ratio: Smallest failure share worth a row, in times the expected share.
        min_failure_share: Smallest difference from the expected failure share, 0 to 1.
        min_failures: Fewest failed events worth a row.
        hour_weeks: Weeks before that an hour is judged by, `weeks` at the most.
        min_hour_ratio: Smallest change within an hour worth a row, in times the expected.
        min_user_days: Days of activity that a user's own history needs; with fewer the peers serve.
        min_user_ratio: Smallest change of a user's volume or failure share worth a row, in times.
        peer_quantile: A user is far from the peers beyond this quantile of all users' days.
        failure_statuses: Statuses that count as failed, compared without case.

    Raises:
        SettingsError: A value is out of bounds; the error carries `setting` and `value`.
    """

    weeks: int = 8
    min_same_weekdays: int = 3
    min_history_days: int = 14
    q: float = 0.05
    max_p: float = 0.0001
    min_ratio: float = 1.5
    min_events: float = 10.0
    min_failure_ratio: float = 2.0
    min_failure_share: float = 0.02
    min_failures: int = 5
    hour_weeks: int = 4
    min_hour_ratio: float = 3.0
    min_user_days: int = 10
    min_user_ratio: float = 3.0
    peer_quantile: float = 0.95
    failure_statuses: frozenset[str] = FAILURE_STATUSES

    def __post_init__(self) -> None:
        bounds = {
            "weeks": 2 <= self.weeks <= 520,
            "min_same_weekdays": 2 <= self.min_same_weekdays <= self.weeks,
            "min_history_days": 2 <= self.min_history_days <= self.baseline_days,
            "q": 0 < self.q < 1,
            "max_p": 0 < self.max_p < 1,
            "min_ratio": self.min_ratio > 1,
            "min_events": self.min_events >= 1,
            "min_failure_ratio": self.min_failure_ratio > 1,
            "min_failure_share": 0 <= self.min_failure_share < 1,
            "min_failures": self.min_failures >= 1,
            "hour_weeks": self.hour_weeks >= 2,
            "min_hour_ratio": self.min_hour_ratio > 1,
            "min_user_days": 3 <= self.min_user_days <= self.baseline_days,
            "min_user_ratio": self.min_user_ratio > 1,
            "peer_quantile": 0 < self.peer_quantile < 1,
        }
        for setting, holds in bounds.items():
            if not holds:
                value = getattr(self, setting)
                raise SettingsError(
                    f"anomaly setting {setting}={value} is out of bounds", setting=setting, value=value
                )

    @property
    def baseline_days(self) -> int:
        """Days of the baseline."""
        return self.weeks * DAYS_OF_WEEK

    @property
    def hour_days(self) -> int:
        """Days that an hour is judged by."""
        return min(self.hour_weeks, self.weeks) * DAYS_OF_WEEK

    @property
    def history_days(self) -> int:
        """How far back a verdict can look: metrics older than this change nothing.

        Two baselines: a source may be silent for one of them, and is then compared with the
        one before.
        """
        return 2 * self.baseline_days


DEFAULT_SETTINGS: Final = DetectionSettings()
