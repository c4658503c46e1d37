"""What applications import: log events without waiting, lose none while Redis is away.

    from activity_pipeline.producer import ActivityLogger

    activity = ActivityLogger("redis://localhost", source="shop")
    activity.log("order.paid", entity_type="order", entity_id="8412", metadata={"total": "12.50"})

Light by rule: no Dagster, Postgres or data frames, and Redis is imported by the delivery thread.
Files are imported with `activity_pipeline.producer.importing`.
"""

from activity_pipeline.producer.asynchronous import AsyncActivityLogger
from activity_pipeline.producer.context import bind
from activity_pipeline.producer.limits import Limits, Overflow
from activity_pipeline.producer.logger import ActivityLogger
from activity_pipeline.producer.stats import DropReason, Stats

__all__ = ["ActivityLogger", "AsyncActivityLogger", "DropReason", "Limits", "Overflow", "Stats", "bind"]
