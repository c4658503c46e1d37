"""`run_failed` and `watch`: failed runs, and what calls for somebody, reach the channels of the settings.

Both note alerts in Postgres before they tell of them (alerts/watch.py). Where Postgres is away there is
nothing to note them in: they are sent without, at most once in each cooldown.
"""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import msgspec
import psycopg

from activity_pipeline.alerts import Alert, send
from activity_pipeline.alerts.overview import look
from activity_pipeline.alerts.rules import FailedJob, Limits, concerns, failed_job
from activity_pipeline.alerts.watch import tell
from activity_pipeline.defs.alerts.runs import explain, name_of, read_dagster
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.errors import AlertError, StoreError
from activity_pipeline.hot.connection import connect
from activity_pipeline.settings import Settings, load_settings, split_list

PAUSES_S = (1.0, 3.0)
"""Waits before the second and the third attempt without Postgres, in seconds; a tick may take a minute."""

POSTGRES_AWAY = "postgres"
_sent_without: dict[str, float] = {}
"""When what was last sent without Postgres, by key, on this process's clock."""


def send_patiently(alert: Alert, urls: Sequence[str], *, pauses_s: Sequence[float]) -> int:
    """Send an alert, anew after each pause where no channel took it; return how many took it.

    Raises:
        AlertError: No channel took it at the last attempt either.
    """
    for pause_s in pauses_s:
        try:
            return send(alert, urls)
        except AlertError:
            time.sleep(pause_s)
    return send(alert, urls)


def send_without_postgres(key: str, alert: Alert, settings: Settings) -> str:
    """Send an alert that cannot be noted, once in each cooldown; return what was done.

    Raises:
        AlertError: No channel took it; it counts as not sent.
    """
    sent_at = _sent_without.get(key)
    if sent_at is not None and time.monotonic() - sent_at < settings.alert_cooldown_s:
        return f"{alert.title}: sent lately"
    taken = send_patiently(alert, split_list(settings.alert_urls), pauses_s=PAUSES_S)
    _sent_without[key] = time.monotonic()
    return f"{alert.title}: taken by {taken} channels"


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends an alert to the channels of ACTIVITY_ALERT_URLS where runs of a job fail.",
)
def run_failed(context: dg.RunFailureSensorContext) -> None:
    """Tell of the run's error, unless somebody was told of the job within the cooldown.

    What is raised here is noted in the failed run's own log, and the tick goes on with the next run:
    Dagster does not come back to this one. `watch` does, and tells of the end.
    """
    run, settings = context.dagster_run, load_settings()
    why = explain(context.get_step_failure_events(), context.failure_event.message or "no message")
    concern = failed_job(FailedJob(name_of(run), f"Run {run.run_id}: {why}"))
    urls = split_list(settings.alert_urls)
    cooldown = timedelta(seconds=settings.alert_cooldown_s)
    try:
        with connect(settings.postgres_dsn) as statements:
            told = tell(statements, [concern], urls, cooldown=cooldown, is_all=False)
    except (StoreError, psycopg.Error):
        context.log.info(send_without_postgres(concern.key, concern.alert, settings))
        return
    said = (
        "told lately" if concern.key in told.quiet else "taken" if concern.key in told.sent else "not taken"
    )
    context.log.info("%s: %s", concern.alert.title, said)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at everything that may call for somebody each minute, and tells the channels.",
)
def watch(context: dg.SensorEvaluationContext, pipeline: Pipeline) -> dg.SkipReason:
    """Tell somebody of what calls for them, once for as long as it lasts."""
    settings = pipeline.settings
    own = msgspec.structs.replace(settings, redis_url=pipeline.redis_url)
    limits = Limits(
        queue_s=settings.alert_queue_s,
        severity=settings.alert_severity,
        dead_letter_share=settings.dead_letter_share,
    )
    dagster = read_dagster(context.instance, datetime.now(UTC))
    try:
        with connect(pipeline.postgres_dsn) as statements:
            told = tell(
                statements,
                concerns(look(own, statements), limits, dagster),
                split_list(settings.alert_urls),
                cooldown=timedelta(seconds=settings.alert_cooldown_s),
            )
    except (StoreError, psycopg.OperationalError) as error:
        return dg.SkipReason(_tell_of_postgres(postgres_away(error), settings))
    if POSTGRES_AWAY in _sent_without:
        back = Alert("Over: Postgres does not answer", "It answers again.", "info")
        _tell_of_postgres(back, settings, key=f"{POSTGRES_AWAY}/over")
        _sent_without.clear()
    counts = {"told": told.sent, "known": told.quiet, "over": told.resolved, "not taken": told.failed}
    return dg.SkipReason(", ".join(f"{len(keys)} {what}" for what, keys in counts.items()))


def postgres_away(error: Exception) -> Alert:
    """Say that Postgres does not answer, without what a connection string could hold."""
    body = f"{type(error).__name__}. Events wait in the queue; `activity-pipeline doctor` says more."
    return Alert("Postgres does not answer", body, "critical")


def _tell_of_postgres(alert: Alert, settings: Settings, *, key: str = POSTGRES_AWAY) -> str:
    try:
        return send_without_postgres(key, alert, settings)
    except AlertError as error:
        return str(error)
