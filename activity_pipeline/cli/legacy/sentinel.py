"""`legacy sentinel`."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime, timedelta

import click

from activity_pipeline.cli.legacy.options import DSN, application_dsn
from activity_pipeline.cli.output import json_option, print_json, print_table
from activity_pipeline.settings import load_settings

SINCE = timedelta(days=1)
LOCK_TIMEOUT = timedelta(seconds=2)


@click.command()
@DSN
@click.option("--count/--no-count", default=None, help="Count by triggers of statements, or no longer.")
@click.option(
    "--grace",
    type=click.FloatRange(0),
    default=300.0,
    show_default=True,
    help="Seconds that an event may take to arrive.",
)
@json_option
@click.pass_context
def sentinel(
    context: click.Context, dsn: str | None, count: bool | None, grace: float, as_json: bool
) -> None:
    """Look for changes that no event tells of, in tables whose triggers are gone; exit 1 where there are.

    Changes are counted by Postgres's statistics, which cost nothing and count rolled-back ones, too; after
    --count by a trigger for each statement, exactly.

    Example: activity-pipeline legacy sentinel --count
    """
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.hot.coverage import read_bypasses
    from activity_pipeline.legacy import sentinel as kit
    from activity_pipeline.local.services import services

    settings = load_settings()
    address = application_dsn(settings, dsn)
    with (
        services(settings) as complete,
        connect(complete.postgres_dsn) as ours,
        connect(address) as application,
    ):
        if count is not None:
            change = kit.count_by_triggers if count else kit.count_no_longer
            change(application, kit.watched_tables(application), lock_timeout=LOCK_TIMEOUT)
        looks = kit.look(application, ours, grace=timedelta(seconds=grace))
        found = [asdict(each) for each in read_bypasses(ours, datetime.now(UTC) - SINCE)]
    watched = [
        {"table": look.table_name, "by": look.method, "since": look.since, "changes": look.changes}
        for look in looks
    ]
    if as_json:
        print_json({"watched": watched, "bypasses": found})
    else:
        print_table("watched", watched, empty="no table has lost its triggers")
        print_table("changes of the last day that no event tells of", found, empty="none")
    context.exit(1 if found else 0)


COMMANDS = [sentinel]
