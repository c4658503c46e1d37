"""The phases in which triggers go, as SQL that a person reviews."""

from activity_pipeline.legacy.plan.document import Plan, PlannedPhase, PlannedTable, PlannedTrigger
from activity_pipeline.legacy.plan.files import read_plan, write_plan
from activity_pipeline.legacy.plan.make import make_plan

__all__ = ["Plan", "PlannedPhase", "PlannedTable", "PlannedTrigger", "make_plan", "read_plan", "write_plan"]
