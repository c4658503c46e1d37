"""Daily metrics: relation to relation, in SQL that DuckDB runs over hot rows and Parquet alike."""

from activity_pipeline.metrics.daily import METRICS_SCHEMA, count_daily
from activity_pipeline.metrics.refresh import RefreshReport, refresh_metrics

__all__ = ["METRICS_SCHEMA", "RefreshReport", "count_daily", "refresh_metrics"]
