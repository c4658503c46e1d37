"""Metrics of days: relation to relation, in SQL that DuckDB runs over hot rows and Parquet alike."""

from activity_pipeline.metrics.counting import HOURLY_SCHEMA, METRICS_SCHEMA, USERS_SCHEMA
from activity_pipeline.metrics.refresh import RefreshReport, refresh_metrics

__all__ = ["HOURLY_SCHEMA", "METRICS_SCHEMA", "USERS_SCHEMA", "RefreshReport", "refresh_metrics"]
