"""Queue to hot table, each event once: the drain loop and its report."""

from activity_pipeline.ingest.drain import DrainConfig, DrainReport, drain

__all__ = ["DrainConfig", "DrainReport", "drain"]
