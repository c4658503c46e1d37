"""Days as partitions, and the keys of the assets."""

import dagster as dg

from activity_pipeline.settings import load_settings

SETTINGS = load_settings()
DAYS = dg.DailyPartitionsDefinition(start_date=SETTINGS.first_day, timezone="UTC", end_offset=1)
"""Every day that an event may lie on, today included."""

OWNERS = ["team:activity"]
HOT = dg.AssetKey(["hot", "events"])
SEALED = dg.AssetKey(["hot", "sealed_days"])
DRAINED = dg.AssetKey(["ingest", "drained_events"])
ARCHIVED = dg.AssetKey(["archive", "events"])
RETIRED = dg.AssetKey(["archive", "retired_days"])
RESTORED = dg.AssetKey(["archive", "restored_days"])
COMPACTED = dg.AssetKey(["archive", "compacted_files"])
VERIFIED = dg.AssetKey(["archive", "verified"])
METRICS = dg.AssetKey(["metrics", "daily"])
HOURLY = dg.AssetKey(["metrics", "hourly"])
USERS = dg.AssetKey(["metrics", "users"])
ANOMALIES = dg.AssetKey(["anomalies", "daily"])
