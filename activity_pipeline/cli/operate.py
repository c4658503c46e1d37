"""Running it: `doctor`, `migrate` and `queue`."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from activity_pipeline.cli.output import human_bytes, json_option, print_json, print_pairs, print_table
from activity_pipeline.settings import load_settings

if TYPE_CHECKING:
    from activity_pipeline.queue.read import EntryId

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


@click.command()
@json_option
@click.pass_context
def queue(context: click.Context, as_json: bool) -> None:
    """Show what waits in each stream, for how long, and Redis itself; exit 1 where it cannot be trusted.

    Where Postgres does not answer, everything in a stream counts as waiting.

    Example: activity-pipeline queue --json
    """
    from activity_pipeline.errors import StoreError
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.hot.offsets import read_offsets
    from activity_pipeline.ingest.lag import read_lag
    from activity_pipeline.local.services import services
    from activity_pipeline.queue.connection import connect as connect_queue

    offsets: dict[int, EntryId] = {}
    postgres = "answers"
    with services(load_settings()) as settings, connect_queue(settings.redis_url) as client:
        try:
            with connect(settings.postgres_dsn) as statements:
                offsets = read_offsets(statements)
        except StoreError as error:
            postgres = str(error)
        lag = read_lag(client, offsets, shards=settings.queue_shards)
    if as_json:
        print_json({**asdict(lag), "concerns": lag.health.concerns, "postgres": postgres})
    else:
        print_table("streams", [asdict(stream) for stream in lag.streams])
        health = lag.health
        limit = human_bytes(health.limit_bytes) if health.limit_bytes else "no limit"
        print_pairs(
            "servers",
            {
                "Redis": health.version,
                "memory": f"{human_bytes(health.used_bytes)} of {limit}",
                "append-only file": health.append_only,
                "eviction": health.eviction_policy,
                "legacy list": f"{lag.legacy_events:,} events",
                "Postgres": postgres,
            },
        )
        for concern in health.concerns:
            click.secho(concern, fg="yellow")
    context.exit(0 if lag.is_trusted and postgres == "answers" else 1)


COMMANDS = [doctor, migrate, queue]
