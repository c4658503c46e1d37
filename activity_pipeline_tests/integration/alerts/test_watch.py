"""What calls for somebody is told once for as long as it lasts, over a real HTTP sink."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from activity_pipeline.alerts import Reply
from activity_pipeline.alerts import watch as watching
from activity_pipeline.alerts.overview import look
from activity_pipeline.alerts.rules import Concern, FailedJob, FromDagster, Limits, concerns
from activity_pipeline.alerts.watch import Told, tell
from activity_pipeline.anomalies.refresh import refresh_anomalies
from activity_pipeline.archive import export_days
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.alerts import list_alerts, list_deliveries
from activity_pipeline.hot.judgements import mute
from activity_pipeline.hot.operations import write
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline.operations import Histogram
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.lines import lines
from activity_pipeline_tests.sinks import CLOSED, Webhook

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise.*")
LIMITS = Limits(queue_s=300.0, severity="warning")
HOUR = timedelta(hours=1)


def found(running: Running, limits: Limits = LIMITS) -> list[Concern]:
    return concerns(look(running.settings, running.statements), limits)


def told(running: Running, *urls: str, cooldown: timedelta = HOUR) -> Told:
    return tell(running.statements, found(running), urls, cooldown=cooldown)


def age(running: Running, by: timedelta) -> None:
    """Let time pass for what is noted."""
    running.statements.execute(
        """
        update activity_alerts set
            first_at = first_at - %(by)s, last_at = last_at - %(by)s, sent_at = sent_at - %(by)s,
            told_at = told_at - %(by)s
        """,
        {"by": by},
    )
    running.statements.execute(
        """
        update activity_alert_deliveries set
            at = at - %(by)s, due_at = due_at - %(by)s, taken_at = taken_at - %(by)s
        """,
        {"by": by},
    )


def break_the_ledger(running: Running, by: int) -> None:
    running.send(*lines(0, 3, datetime.now(UTC)))
    running.drain()
    running.statements.execute("update activity_ledger set inserted = inserted + %s", [by])


def test_what_lasts_is_told_once_and_so_is_its_end(running: Running, sink: Webhook) -> None:
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
    assert [posted["title"] for posted in sink.taken] == [
        *["The ledger does not close"] * 2,
        "Over: The ledger does not close",
    ]
    assert "stored by day" in sink.taken[0]["message"]
    break_the_ledger(running, 1)
    age(running, HOUR)
    assert told(running, sink.url).quiet == ["ledger"], "what was over begins anew"


def test_a_channel_that_failed_is_tried_again_after_a_pause_and_no_other_twice(
    running: Running, sink: Webhook, other_sink: Webhook
) -> None:
    urls = (sink.url, other_sink.url)
    break_the_ledger(running, 2)
    told(running, *urls)
    age(running, timedelta(minutes=1))
    sink.refusals = 2
    first = told(running, *urls)
    assert (first.sent, first.failed) == (["ledger"], ["ledger"]), "the other channel has its own"
    assert told(running, *urls) == Told(quiet=["ledger"]), "not at once"
    age(running, timedelta(minutes=1))
    assert told(running, *urls).failed == ["ledger"]
    age(running, timedelta(minutes=1))
    assert told(running, *urls) == Told(quiet=["ledger"]), "the pause has doubled"
    age(running, timedelta(minutes=1))
    assert told(running, *urls).sent == ["ledger"]
    assert (len(sink.asked), len(sink.taken), len(other_sink.asked)) == (3, 1, 1)
    (kept,) = list_alerts(running.statements)
    assert (kept.failures, kept.deliveries) == (2, 2)
    second, first_ = list_deliveries(running.statements)
    assert (first_.channel, first_.tries, first_.due_at, first_.said) == ("1 webhook", 3, None, "")
    assert (second.channel, second.tries, second.taken_at is not None) == ("2 webhook", 1, True)


def test_who_has_not_heard_of_it_does_not_hear_of_its_end(running: Running, sink: Webhook) -> None:
    break_the_ledger(running, 2)
    told(running, CLOSED, sink.url)
    age(running, timedelta(minutes=1))
    told(running, CLOSED, sink.url)
    running.statements.execute("update activity_ledger set inserted = inserted - 2")
    over = told(running, CLOSED, sink.url)
    assert (over.sent, over.failed, over.resolved) == (["ledger"], [], ["ledger"])
    assert [posted["title"][:5] for posted in sink.taken] == ["The l", "Over:"]
    age(running, HOUR)
    assert told(running, CLOSED, sink.url) == Told(), "what is over is not tried any more"
    assert [each.due_at for each in list_deliveries(running.statements)] == [None] * 3


def test_a_message_that_its_sender_died_with_is_sent_after_all(running: Running, sink: Webhook) -> None:
    break_the_ledger(running, 1)
    told(running, sink.url)
    age(running, timedelta(minutes=1))
    with pytest.raises(KeyboardInterrupt), pytest.MonkeyPatch.context() as patch:
        patch.setattr(watching, "deliver", interrupted)
        told(running, sink.url)
    assert told(running, sink.url) == Told(quiet=["ledger"]), "another may be at it"
    age(running, watching.LEASE)
    assert told(running, sink.url).sent == ["ledger"]
    assert len(sink.taken) == 1


def interrupted(messages: object) -> list[Reply]:
    raise KeyboardInterrupt


def test_a_channel_that_is_gone_is_given_up_and_a_dead_one_after_a_day(running: Running) -> None:
    break_the_ledger(running, 1)
    told(running, CLOSED)
    age(running, timedelta(minutes=1))
    tries = 0
    while told(running, CLOSED, cooldown=100 * ONE_DAY).failed:
        tries += 1
        age(running, HOUR)
    assert tries == watching.MOST_TRIES
    told(running, CLOSED, cooldown=timedelta())
    told(running, cooldown=100 * ONE_DAY)
    assert list_deliveries(running.statements)[0].said == "it is no longer a channel"


def test_a_slow_operation_and_many_dead_letters(running: Running, sink: Webhook) -> None:
    now = datetime.now(UTC)
    last_hour = int(now.timestamp() // 3600) - 1
    slow = Histogram()
    slow.add(7.0, times=3, items=1000, refused=20)
    write(running.statements, {(last_hour, "drain"): slow})
    keys = [each.key for each in found(running)]
    assert keys == ["operation/drain", "dead letters"]
    assert told(running, sink.url).sent == keys
    assert told(running, sink.url).quiet == keys
    assert "above its limit of 5 s" in sink.taken[0]["message"]
    assert "20 of 1,000 events, 2.0%" in sink.taken[1]["message"]
    lenient = Limits(queue_s=300.0, severity="warning", dead_letter_share=0.02)
    assert [each.key for each in found(running, lenient)] == ["operation/drain"]
    running.statements.execute("truncate activity_operations")
    assert told(running, sink.url).resolved == keys


def test_what_dagster_knows(running: Running) -> None:
    dagster = FromDagster((FailedJob("export", "the disk is full", 3),), ("metrics/daily",))
    failed, late = concerns(look(running.settings, running.statements), LIMITS, dagster)
    assert (failed.key, failed.alert.title) == ("run/export", "Run of export failed")
    assert failed.alert.body == "the disk is full 3 failed runs were not made good."
    assert (late.key, late.rule) == ("freshness/metrics/daily", "freshness")


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


def test_an_anomaly_unless_it_is_muted_or_too_slight(running: Running, sink: Webhook) -> None:
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
