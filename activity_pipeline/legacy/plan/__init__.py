"""The phases in which triggers go, as SQL that a person reviews."""

from activity_pipeline.legacy.plan.document import Plan, PlannedPhase, PlannedTable, PlannedTrigger
from activity_pipeline.legacy.plan.drift import Drift, drift_of
from activity_pipeline.legacy.plan.files import find_plan, read_plan, write_plan
from activity_pipeline.legacy.plan.make import make_plan

__all__ = [
    "Drift",
    "Plan",
    "PlannedPhase",
    "PlannedTable",
    "PlannedTrigger",
    "drift_of",
    "find_plan",
    "make_plan",
    "read_plan",
    "write_plan",
]
