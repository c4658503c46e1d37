"""The rows of an old audit table, day by day into the archive, with a proof for each day."""

from activity_pipeline.legacy.history.run import HistoryDay, import_day, importable_days, undated_rows

__all__ = ["HistoryDay", "import_day", "importable_days", "undated_rows"]
