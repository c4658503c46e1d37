"""When a day's assets run by themselves, and the sensor that evaluates it.

Two reasons to run, both bounded:

    touched       what the asset is made from was updated since the asset was last asked for
    second look   once an hour: it was never made although it could be, or its last run failed

"Touched" counts from the last request, not from the last materialization as Dagster's
`since_last_handled` does: an event that arrives while its day is being worked on would be taken
for worked on as well.

Three traps. Which of ten thousand days are missing takes Dagster most of a second, so the hourly
gate stands before that question: an `&` asks its right side only about what is left of its left.
Dagster keeps the state of a `since` under the names of what it is made of, in which each `|` is just
an "OR": two of them in one condition would share their state. And only a bare `newly_updated` keeps
the times by which a `since` tells an update right after a request from one before it.
"""

from datetime import timedelta
from typing import Any

import dagster as dg

Condition = dg.AutomationCondition[dg.AssetKey | dg.AssetCheckKey]

HOURLY = "17 * * * *"
HALF_AN_HOUR_LATER = "47 * * * *"
EVERY_FIVE_MINUTES = "*/5 * * * *"


def when_cold(hot_days: int) -> Condition:
    """Archive a day once it has left the hot window, and again when late events touch it."""
    is_hot = dg.AutomationCondition.in_latest_time_window(timedelta(days=hot_days))
    reason = (_since_request(_updated()) | _second_look()) & ~is_hot
    return _when_idle(reason, "out of the hot window, or touched by late events")


def when_touched(*, but_not_by: dg.AssetSelection) -> Condition:
    """Recompute a day whose events changed, however old it is; today once in each five minutes."""
    touched = _since_request(_updated(but_not_by))
    return _when_idle((touched | _second_look(but_not_by)) & _due_today(), "its events changed")


def when_recomputed() -> Condition:
    """Follow what the asset depends on, in the same run where that is about to run by itself."""
    recomputed = _since_request(dg.AutomationCondition.any_deps_updated())
    return _when_idle((recomputed | _second_look()) & _due_today(), "what it is made from was recomputed")


def when_updated_and_passed() -> Condition:
    """Run after each update of what the asset depends on, once all its blocking checks have passed.

    They must have looked at the newest materialization: a check that is about to run, which Dagster's
    own `all_deps_blocking_checks_passed` lets through, is not one that passed.
    """
    failed = dg.AutomationCondition.execution_failed()
    passed = dg.AutomationCondition.all_deps_match(
        dg.AutomationCondition.all_checks_match(dg.AutomationCondition.check_passed(), blocking_only=True)
    )
    reason = (_since_request(_updated()) | (_look() & failed)) & passed
    return _when_idle(reason, "after an update whose blocking checks passed")


def when_unchecked() -> Condition:
    """Check what was made by a run that did not check it, and once an hour what has not passed.

    Dagster does not put such a check into the run of one partition, and a run whose asset fails never
    comes to it. The hourly look is not at the minute of the assets', whose failing runs may have the
    check in them, and would be the last that is known of it.
    """
    unmade = dg.AutomationCondition.missing() | dg.AutomationCondition.execution_failed()
    hourly: Condition = dg.AutomationCondition.cron_tick_passed(HALF_AN_HOUR_LATER)
    is_made = dg.AutomationCondition.any_deps_match(~dg.AutomationCondition.missing())
    passed: Any = dg.AutomationCondition.check_passed()
    reason = (_since_request(_updated()) & unmade) | (hourly & is_made & ~passed)
    return _when_idle(reason, "not checked yet")


def when_updated_this_hour() -> Condition:
    """Look once an hour at an asset that was updated: what a follower reports starts no checks by itself."""
    return _when_idle(_since_request(_updated()) & _look(), "updated in the last hour")


def _updated(but_not_by: dg.AssetSelection | None = None) -> Condition:
    updated = dg.AutomationCondition.any_deps_match(dg.AutomationCondition.newly_updated())
    return updated if but_not_by is None else updated.ignore(but_not_by)


def _due_today() -> Condition:
    """True of every day but today, and of today once in each five minutes."""
    is_today = dg.AutomationCondition.in_latest_time_window()
    five_minutes: Condition = dg.AutomationCondition.cron_tick_passed(EVERY_FIVE_MINUTES)
    return ~is_today | dg.AutomationCondition.missing() | _since_request(five_minutes)


def _second_look(but_not_at: dg.AssetSelection | None = None) -> Condition:
    unmade = dg.AutomationCondition.missing() | dg.AutomationCondition.execution_failed()
    deps_missing = dg.AutomationCondition.any_deps_missing()
    if but_not_at is not None:
        deps_missing = deps_missing.ignore(but_not_at)
    return _look() & unmade & ~deps_missing


def _look() -> Condition:
    """True at the first tick ever and at the first one after each full hour and a bit."""
    hourly: Condition = dg.AutomationCondition.cron_tick_passed(HOURLY)
    return hourly | dg.AutomationCondition.initial_evaluation()


def _since_request(condition: Condition) -> Condition:
    return condition.since(dg.AutomationCondition.newly_requested())


def _when_idle(reason: Condition, label: str) -> Condition:
    deps_in_progress = dg.AutomationCondition.any_deps_in_progress()
    in_progress = dg.AutomationCondition.in_progress()
    return (reason & ~deps_in_progress & ~in_progress).with_label(label)


automation = dg.AutomationConditionSensorDefinition(
    "automation",
    target=dg.AssetSelection.all(),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=15,
    description="Archives days that turned cold and recomputes days that were touched.",
)
