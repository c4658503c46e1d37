"""`operations`: how long the pipeline's operations take."""

from __future__ import annotations

import click

from activity_pipeline.cli.output import json_option, print_rows
from activity_pipeline.settings import load_settings


@click.command()
@click.option(
    "--hours", type=click.IntRange(1, 90 * 24), default=24, show_default=True, help="So many hours back."
)
@json_option
@click.pass_context
def operations(context: click.Context, /, hours: int, as_json: bool) -> None:
    """Show how long operations took, hour by hour, newest first; exit 1 where one has become slow.

    Quantiles come from logarithmic buckets and are less than 5 % off; the longest is exact. What is slow
    is judged by the last full hour: see ACTIVITY_OPERATION_P95_MS.

    Example: activity-pipeline operations --hours 48
    """
    from datetime import UTC, datetime

    from activity_pipeline.hot.connection import connect
    from activity_pipeline.hot.operations import read_hours
    from activity_pipeline.local.services import services
    from activity_pipeline.operations.pace import HOUR, LOOKED_AT, paces
    from activity_pipeline.operations.thresholds import parse_thresholds

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        now = datetime.now(UTC)
        first = now.replace(minute=0, second=0, microsecond=0) - (hours - 1) * HOUR
        found = read_hours(statements, min(first, now - LOOKED_AT))
    slow = [
        pace.slow for pace in paces(found, parse_thresholds(settings.operation_p95_ms), now=now) if pace.slow
    ]
    rows = [
        {
            "hour": hour.isoformat() if as_json else f"{hour:%Y-%m-%d %H:00}",
            "operation": operation,
            "count": took.count,
            "failures": took.failures,
            "p50_ms": 1000 * took.quantile(0.5),
            "p95_ms": 1000 * took.quantile(0.95),
            "p99_ms": 1000 * took.quantile(0.99),
            "longest_ms": 1000 * took.longest_s,
            "events": took.items,
        }
        for (hour, operation), took in sorted(found.items(), reverse=True)
        if hour >= first
    ]
    print_rows("operations", rows, as_json)
    for each in slow:
        click.secho(str(each), fg="yellow", err=as_json)
    context.exit(1 if slow else 0)


COMMANDS = [operations]
