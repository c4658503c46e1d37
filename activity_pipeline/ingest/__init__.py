"""Queue to hot table, each event once: the drain loop and its report."""

from activity_pipeline.ingest.config import DrainConfig
from activity_pipeline.ingest.drain import drain
from activity_pipeline.ingest.report import DrainReport

__all__ = ["DrainConfig", "DrainReport", "drain"]
