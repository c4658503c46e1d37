"""Running it: `doctor` and `migrate`."""

from __future__ import annotations

from dataclasses import asdict

import click

from activity_pipeline.cli.output import json_option, print_json
from activity_pipeline.settings import load_settings

MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


@click.command()
@json_option
@click.pass_context
def doctor(context: click.Context, as_json: bool) -> None:
    """Check settings, servers, queue, schema, archive and ledger; exit 1 where something is wrong.

    Example: activity-pipeline doctor --json
    """
    from activity_pipeline.local.doctor import examine
    from activity_pipeline.local.services import services

    with services(load_settings(), migrated=False) as settings:
        findings = examine(settings)
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            mark, colour = MARKS[finding.verdict]
            click.echo(f"{click.style(mark, fg=colour)}  {finding.subject:<10} {finding.text}")
    context.exit(1 if any(finding.verdict == "fail" for finding in findings) else 0)


@click.command()
@click.option("--to", type=click.IntRange(0), help="Go to this version, also back; default: the newest.")
@click.option("--outbox", is_flag=True, help="Make the outboxes of ACTIVITY_OUTBOX_DSN, nothing else.")
@json_option
def migrate(to: int | None, outbox: bool, as_json: bool) -> None:
    """Bring the schema of Postgres up to date.

    Example: activity-pipeline migrate
    """
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.hot.migrations import migrate as migrate_schema
    from activity_pipeline.hot.migrations import migrate_outbox
    from activity_pipeline.local.services import services

    if outbox:
        if to is not None:
            raise click.UsageError("--outbox goes forward alone: leave out --to")
        databases = load_settings().outbox_dsns
        if not databases:
            raise click.UsageError("ACTIVITY_OUTBOX_DSN names no database; the sink has its outbox already")
        taken = []
        for dsn in databases:
            with connect(dsn) as connection:
                taken += migrate_outbox(connection)
    else:
        with (
            services(load_settings(), migrated=False) as settings,
            connect(settings.postgres_dsn) as connection,
        ):
            taken = migrate_schema(connection, to=to)
    if as_json:
        print_json({"taken": taken})
    else:
        click.echo("\n".join(taken) if taken else "the schema is up to date")


COMMANDS = [doctor, migrate]
