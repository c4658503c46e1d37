"""What calls for somebody is told once for as long as it lasts, over a real HTTP sink."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from activity_pipeline.alerts.overview import look
from activity_pipeline.alerts.rules import Concern, Limits, concerns
from activity_pipeline.alerts.watch import Told, tell
from activity_pipeline.anomalies.refresh import refresh_anomalies
from activity_pipeline.archive import export_days
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.alerts import list_alerts
from activity_pipeline.hot.judgements import mute
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.alerts.test_channels import Sink, sink
from activity_pipeline_tests.lines import lines

__all__ = ["sink"]

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise.*")
LIMITS = Limits(queue_s=300.0, severity="warning")
HOUR = timedelta(hours=1)
AWAY = "http://127.0.0.1:9/closed"


def found(running: Running, limits: Limits = LIMITS) -> list[Concern]:
    return concerns(look(running.settings, running.statements), limits)


def told(running: Running, *urls: str, cooldown: timedelta = HOUR) -> Told:
    return tell(running.statements, found(running), urls, cooldown=cooldown)


def age(running: Running, by: timedelta) -> None:
    """Let time pass for what is noted."""
    running.statements.execute(
        "update activity_alerts set first_at = first_at - %(by)s, sent_at = sent_at - %(by)s", {"by": by}
    )


def break_the_ledger(running: Running, by: int) -> None:
    running.send(*lines(0, 3, datetime.now(UTC)))
    running.drain()
    running.statements.execute("update activity_ledger set inserted = inserted + %s", [by])


def test_what_lasts_is_told_once_and_so_is_its_end(running: Running, sink: Sink) -> None:
    assert told(running, sink.url) == Told()
    break_the_ledger(running, 1)
    assert told(running, sink.url).quiet == ["ledger"], "it may pass by itself"
    age(running, timedelta(minutes=1))
    assert told(running, sink.url).sent == ["ledger"]
    assert told(running, sink.url).quiet == ["ledger"]
    age(running, HOUR)
    assert told(running, sink.url).sent == ["ledger"], "the cooldown is over"
    running.statements.execute("update activity_ledger set inserted = inserted - 1")
    assert told(running, sink.url).resolved == ["ledger"]
    assert told(running, sink.url) == Told()
    assert [posted["title"] for posted in sink.posted] == [
        *["The ledger does not close"] * 2,
        "Over: The ledger does not close",
    ]
    assert "stored by day" in sink.posted[0]["message"]
    break_the_ledger(running, 1)
    age(running, HOUR)
    assert told(running, sink.url).quiet == ["ledger"], "what was over begins anew"


def test_what_nobody_took_is_tried_again(running: Running, sink: Sink) -> None:
    break_the_ledger(running, 2)
    told(running, AWAY)
    age(running, timedelta(minutes=1))
    assert told(running, AWAY).failed == ["ledger"]
    assert told(running, AWAY).failed == ["ledger"]
    assert told(running, sink.url).sent == ["ledger"]
    (kept,) = list_alerts(running.statements)
    assert (kept.failures, kept.deliveries) == (2, 1)
    assert kept.sent_at is not None


def test_what_waits_too_long(running: Running) -> None:
    running.send(*lines(0, 3, datetime.now(UTC)))
    assert [each.key for each in found(running)] == []
    assert [each.key for each in found(running, Limits(queue_s=-1.0, severity="info"))] == ["queue/lag"]


def test_stale_metrics_and_days_that_stay(running: Running) -> None:
    cold = datetime.now(UTC) - 40 * ONE_DAY
    running.send(*lines(0, 3, cold))
    running.drain()
    assert {each.key for each in found(running)} == {"metrics/stale"}
    assert list(export_days(running.statements, running.bulk, running.store, [cold.date()]))
    assert {each.key for each in found(running)} == {"metrics/stale", "archive/gate"}


def test_an_anomaly_unless_it_is_muted_or_too_slight(running: Running, sink: Sink) -> None:
    for back in range(30, 0, -1):
        at = datetime.combine(today() - back * ONE_DAY, datetime.min.time(), UTC)
        running.send(*lines(1000 * back, 3, at), sequence=1000 * (30 - back))
    new = [line.replace(b'"shop0', b'"mail') for line in lines(500_000, 60, at)]
    running.send(*new, sequence=90_000)
    running.drain()
    days = list(running.states())
    refresh_metrics(running.statements, running.bulk, running.store, days)
    refresh_anomalies(running.statements, running.bulk, running.store, days)
    key = f"anomaly/{today() - ONE_DAY}/new_source/mail/"
    assert key in [each.key for each in found(running)]
    assert key not in [each.key for each in found(running, Limits(queue_s=300.0, severity="critical"))]
    assert key in told(running, sink.url).sent
    until = datetime.now(UTC) + HOUR
    mute(running.statements, "mail", action=None, kind=None, until=until, by="me", reason="x")
    assert key not in [each.key for each in found(running)]
