"""Dual-write parity: what audit triggers tell against what events tell, change by change."""

from activity_pipeline.legacy.compare.report import Report
from activity_pipeline.legacy.compare.run import Spans, compare, settled_until, waiting_s, yesterday
from activity_pipeline.legacy.compare.scope import Scope, read_scope

__all__ = ["Report", "Scope", "Spans", "compare", "read_scope", "settled_until", "waiting_s", "yesterday"]
