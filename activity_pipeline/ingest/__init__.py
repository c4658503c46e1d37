"""Queue and outboxes to hot table, each event once: the drain loops and their report."""

from activity_pipeline.ingest.drain import DrainConfig, DrainReport
from activity_pipeline.ingest.sources import drain

__all__ = ["DrainConfig", "DrainReport", "drain"]
