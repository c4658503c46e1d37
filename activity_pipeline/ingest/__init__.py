"""Queue and outboxes to hot table, each event once: the drain loops and their report."""

from activity_pipeline.ingest.config import DrainConfig
from activity_pipeline.ingest.drain import drain
from activity_pipeline.ingest.report import DrainReport

__all__ = ["DrainConfig", "DrainReport", "drain"]
