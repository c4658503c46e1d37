"""`alerts list`, `alerts deliveries` and `alerts test`."""

from __future__ import annotations

from dataclasses import asdict

import click

from activity_pipeline.cli.output import json_option, print_json, print_rows, print_table
from activity_pipeline.settings import load_settings, split_list


@click.group()
def alerts() -> None:
    """What somebody should know, and the channels that tell them."""


@alerts.command("list")
@json_option
def list_(as_json: bool) -> None:
    """Show what calls for somebody now, and what did within the last week.

    Example: activity-pipeline alerts list
    """
    from activity_pipeline.hot.alerts import list_alerts
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        rows = [asdict(each) for each in list_alerts(statements)]
    if as_json:
        print_json(rows)
        return
    names = ("severity", "title", "body", "first_at", "sent_at", "resolved_at")
    print_table("alerts", [{name: row[name] for name in names} for row in rows], empty="none")


@alerts.command()
@json_option
def deliveries(as_json: bool) -> None:
    """Show the messages of the last week, channel by channel, and what became of them.

    Example: activity-pipeline alerts deliveries --json
    """
    from activity_pipeline.hot.alerts import list_deliveries
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.local.services import services

    with services(load_settings()) as settings, connect(settings.postgres_dsn) as statements:
        rows = [asdict(each) for each in list_deliveries(statements)]
    if not as_json:
        names = ("at", "channel", "title", "tries", "taken_at", "due_at", "said")
        rows = [{name: row[name] for name in names} for row in rows]
    print_rows("deliveries", rows, as_json)


@alerts.command()
@json_option
@click.pass_context
def test(context: click.Context, as_json: bool) -> None:
    """Send one to each channel of ACTIVITY_ALERT_URLS; exit 1 where one does not take it.

    Channels are named by their place in the setting and their kind: their addresses may hold secrets.

    Example: activity-pipeline alerts test
    """
    from activity_pipeline.alerts import Alert, channels_of, deliver

    alert = Alert("A test of activity_pipeline", "Whoever reads this will hear of what goes wrong.", "info")
    channels = channels_of(split_list(load_settings().alert_urls))
    replies = deliver([(channel, alert) for channel in channels])
    if as_json:
        print_json([asdict(reply) for reply in replies])
    else:
        print_table("channels", [asdict(reply) for reply in replies], empty="none: set ACTIVITY_ALERT_URLS")
    context.exit(0 if replies and all(reply.taken for reply in replies) else 1)


COMMANDS = [alerts]
