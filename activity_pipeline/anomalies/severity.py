"""How much a person should care about an anomaly, from the size of the change alone."""

from __future__ import annotations

from typing import Final, assert_never

from activity_pipeline.anomalies.model import DAYS_OF_WEEK, Severity
from activity_pipeline.anomalies.verdict import Verdict

_MANY_EVENTS: Final = 50


def severity(verdict: Verdict) -> Severity:  # noqa: PLR0911 - one for each kind
    """Grade a verdict.

    | kind | warning | critical |
    |---|---|---|
    | spike | 2 times the expected | 5 times, and 3 times the range |
    | drop | half of the expected | a tenth |
    | one hour of either | 5 times, or a fifth | never |
    | failure_rate | 3 times the expected | half of all events |
    | silent_source | first day; second week | first day; second to seventh in any case |
    | new_source | any | never |
    | new_action | 50 events | never |
    | user_volume | 5 times the expected | 20 times |
    | user_failures | 5 times the expected | half of all events |
    | user_hours | never | never |

    Nothing is critical below 50 events, a silence of several days excepted. Everything else is
    info, as is a silence of more than two weeks: no news to anybody.
    """
    observed, expected = verdict.observed, verdict.expected
    many = verdict.events >= _MANY_EVENTS
    match verdict.kind:
        case "spike" if verdict.hour is not None:
            return _graded(observed >= 5 * expected, critical=False)
        case "drop" if verdict.hour is not None:
            return _graded(5 * observed <= expected, critical=False)
        case "spike":
            critical = observed >= max(5 * expected, 3 * verdict.upper, _MANY_EVENTS)
            return _graded(observed >= 2 * expected, critical)
        case "drop":
            critical = 10 * observed <= expected and expected >= _MANY_EVENTS
            return _graded(2 * observed <= expected, critical)
        case "failure_rate":
            return _graded(observed >= 3 * expected, observed >= 0.5 and many)
        case "silent_source":
            days = verdict.silent_days
            return _graded(
                days <= 2 * DAYS_OF_WEEK,
                days <= DAYS_OF_WEEK and (days > 1 or expected >= _MANY_EVENTS),
            )
        case "new_source":
            return "warning"
        case "new_action":
            return _graded(observed >= _MANY_EVENTS, critical=False)
        case "user_hours":
            return "info"
        case "user_volume":
            return _graded(observed >= 5 * expected, observed >= 20 * expected and many)
        case "user_failures":
            return _graded(observed >= 5 * expected, observed >= 0.5 and many)
        case _:
            assert_never(verdict.kind)


def _graded(warning: bool, critical: bool) -> Severity:
    if critical:
        return "critical"
    return "warning" if warning else "info"
