"""Both sides written at once, and compared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from activity_pipeline.bench.legacy.workload import populate
from activity_pipeline.legacy.compare import Report, compare, read_scope
from activity_pipeline.legacy.inventory.overrides import CompareRules, Overrides
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.legacy.conftest import OVERRIDES, WINDOW, Legacy

RULES = CompareRules(ignored={"category": ("tracking", "history", "mail")})
SAID = msgspec.structs.replace(OVERRIDES, compare=RULES)
HOUR = timedelta(hours=1)


def begin(legacy: Legacy) -> None:
    """Fill the application; what was before the two were written side by side is of no interest."""
    populate(legacy.application)
    legacy.application.execute("truncate app.audit_logs")


def compared(legacy: Legacy, running: Running, said: Overrides = SAID, **more: Any) -> Report:
    running.drain(outbox_dsn=legacy.dsn)
    scope = read_scope(legacy.application, said)
    # Whole days, so that it does not matter at what time this runs.
    first, last = datetime.combine(WINDOW[0], datetime.min.time(), UTC), datetime.now(UTC) + HOUR
    return compare(legacy.application, running.statements, scope, first, last, **more)


def kinds(report: Report) -> tuple[int, ...]:
    return tuple(report.totals[kind] for kind in ("missing", "extra", "different"))
