"""The sensor that looks at everything each minute, over real servers."""

from __future__ import annotations

import dagster as dg

from activity_pipeline.defs.alerts.sensors import watch
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.hot.alerts import list_alerts
from activity_pipeline_tests.defs.platform import TODAY, Platform


def test_it_notes_what_it_sees(platform: Platform) -> None:
    settings = platform.running.settings
    resource = Pipeline(
        postgres_dsn=settings.postgres_dsn,
        redis_url=settings.redis_url,
        archive_url=settings.archive_url,
    )

    def looked() -> str | None:
        context = dg.build_sensor_context(platform.instance, resources={"pipeline": resource})
        said = watch(context)
        assert isinstance(said, dg.SkipReason)
        return said.skip_message

    assert looked() == "0 told, 0 known, 0 over, 0 not taken"
    platform.send(TODAY, each=3)
    platform.running.statements.execute("update activity_ledger set inserted = inserted + 1")
    assert looked() == "0 told, 1 known, 0 over, 0 not taken"
    (kept,) = list_alerts(platform.running.statements)
    assert (kept.key, kept.severity, kept.sent_at) == ("ledger", "critical", None)
    platform.running.statements.execute("update activity_ledger set inserted = inserted - 1")
    assert looked() == "0 told, 0 known, 1 over, 0 not taken"
