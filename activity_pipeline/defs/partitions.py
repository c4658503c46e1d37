"""Days as partitions, and when a day's assets run by themselves."""

from datetime import timedelta

import dagster as dg

from activity_pipeline.settings import load_settings

SETTINGS = load_settings()
DAYS = dg.DailyPartitionsDefinition(start_date=SETTINGS.first_day, timezone="UTC", end_offset=1)
"""Every day that an event may lie on, today included."""

OWNERS = ["team:activity"]
HOT = dg.AssetKey(["hot", "events"])
DRAINED = dg.AssetKey(["ingest", "drained_events"])
ARCHIVED = dg.AssetKey(["archive", "events"])
RETIRED = dg.AssetKey(["archive", "retired_days"])
METRICS = dg.AssetKey(["metrics", "daily"])
ANOMALIES = dg.AssetKey(["anomalies", "daily"])


def when_cold(hot_days: int) -> dg.AutomationCondition[dg.AssetKey]:
    """Archive a day once it has left the hot window, and again when late events touch it.

    An hourly second look takes days that were missed or failed, however old the backlog is.
    """
    missed = dg.AutomationCondition.missing() & (
        dg.AutomationCondition.cron_tick_passed("17 * * * *").since_last_handled()
    )
    touched = dg.AutomationCondition.any_deps_updated().since_last_handled()
    is_hot = dg.AutomationCondition.in_latest_time_window(timedelta(days=hot_days))
    return (
        (missed | touched)
        & ~is_hot
        & ~dg.AutomationCondition.any_deps_missing()
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label("out of the hot window, or touched by late events")


def when_touched(*, but_not_by: dg.AssetSelection | None = None) -> dg.AutomationCondition[dg.AssetKey]:
    """Recompute a day whose events changed, however old it is; today at most every five minutes."""
    updated = dg.AutomationCondition.any_deps_updated()
    missing = dg.AutomationCondition.any_deps_missing()
    if but_not_by is not None:
        updated, missing = updated.ignore(but_not_by), missing.ignore(but_not_by)
    settled = ~dg.AutomationCondition.in_latest_time_window()
    due_today = dg.AutomationCondition.cron_tick_passed("*/5 * * * *").since_last_handled()
    return (
        updated.since_last_handled()
        & (settled | due_today)
        & ~missing
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    ).with_label("its events changed")
