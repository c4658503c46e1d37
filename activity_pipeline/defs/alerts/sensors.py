"""`run_failed`: a failed run reaches the channels of the settings."""

import dagster as dg

from activity_pipeline.alerts import Alert, send
from activity_pipeline.settings import load_settings, split_list


def describe(job: str, run_id: str, error: str) -> Alert:
    """Say which run failed and why."""
    return Alert(title=f"Run of {job} failed", body=f"Run {run_id}: {error}", severity="critical")


@dg.run_failure_sensor(
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Sends an alert to the channels of ACTIVITY_ALERT_URLS for each failed run.",
)
def run_failed(context: dg.RunFailureSensorContext) -> None:
    """Send the run's error."""
    run = context.dagster_run
    alert = describe(run.job_name, run.run_id, context.failure_event.message or "no message")
    delivered = send(alert, split_list(load_settings().alert_urls))
    context.log.info("%s: taken by %d channels", alert.title, delivered)
