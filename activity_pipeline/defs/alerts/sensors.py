"""`run_failed` and `watch`: failed runs, and what calls for somebody, reach the channels of the settings."""

import time
from collections.abc import Sequence
from datetime import timedelta

import dagster as dg
import msgspec

from activity_pipeline.alerts import Alert, send
from activity_pipeline.alerts.overview import look
from activity_pipeline.alerts.rules import Limits, concerns
from activity_pipeline.alerts.watch import tell
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.errors import AlertError
from activity_pipeline.hot.connection import connect
from activity_pipeline.settings import load_settings, split_list

PAUSES_S = (1.0, 3.0)
"""Waits before the second and the third attempt, in seconds; a tick may take a minute in all."""


def describe(job: str, run_id: str, error: str) -> Alert:
    """Say which run failed and why."""
    return Alert(title=f"Run of {job} failed", body=f"Run {run_id}: {error}", severity="critical")


def explain(failures: Sequence[dg.DagsterEvent], message: str) -> str:
    """Return what the failed steps of a run say, each in a line; the run's own message where none does."""
    return "\n".join(_why(event) for event in failures) or message


def _why(event: dg.DagsterEvent) -> str:
    failure = event.step_failure_data
    if failure.user_failure_data and failure.user_failure_data.description:
        return f"{event.step_key}: {failure.user_failure_data.description}"
    error = failure.error.cause or failure.error if failure.error else None
    return f"{event.step_key}: {error.message.strip() if error else event.message}"


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


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends an alert to the channels of ACTIVITY_ALERT_URLS for each failed run.",
)
def run_failed(context: dg.RunFailureSensorContext) -> None:
    """Send the run's error.

    What is raised here is noted in the failed run's own log, and the tick goes on with the next run:
    Dagster does not come back to this one, which is why the attempts are made here.
    """
    run = context.dagster_run
    why = explain(context.get_step_failure_events(), context.failure_event.message or "no message")
    alert = describe(run.job_name, run.run_id, why)
    delivered = send_patiently(alert, split_list(load_settings().alert_urls), pauses_s=PAUSES_S)
    context.log.info("%s: taken by %d channels", alert.title, delivered)


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at queue, ledger, days and anomalies each minute, and tells the channels what lasts.",
)
def watch(pipeline: Pipeline) -> dg.SkipReason:
    """Tell somebody of what calls for them, once for as long as it lasts."""
    settings = pipeline.settings
    own = msgspec.structs.replace(settings, redis_url=pipeline.redis_url)
    limits = Limits(queue_s=settings.alert_queue_s, severity=settings.alert_severity)
    with connect(pipeline.postgres_dsn) as statements:
        told = tell(
            statements,
            concerns(look(own, statements), limits),
            split_list(settings.alert_urls),
            cooldown=timedelta(seconds=settings.alert_cooldown_s),
        )
    counts = {"told": told.sent, "known": told.quiet, "over": told.resolved, "not taken": told.failed}
    return dg.SkipReason(", ".join(f"{len(keys)} {what}" for what, keys in counts.items()))
