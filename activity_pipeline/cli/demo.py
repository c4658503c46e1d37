"""`demo` and `up`: everything on this machine, with nothing to install beside it."""

from __future__ import annotations

import shlex
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from activity_pipeline.cli.output import human_bytes, json_option, print_json, print_pairs, print_table
from activity_pipeline.settings import load_settings

if TYPE_CHECKING:
    from activity_pipeline.local.demo import DemoResult
    from activity_pipeline.local.shop_incidents import Report

MOST_ANOMALIES = 15


@click.command()
@click.option(
    "--input",
    "input_",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file of events, plain or gzip; without it a shop is simulated.",
)
@click.option("--rebase", is_flag=True, help="Move the file's events by whole weeks into the present.")
@click.option("--days", type=click.IntRange(1, 3650), default=60, show_default=True, help="Days of the shop.")
@click.option(
    "--events", type=click.IntRange(1), default=500_000, show_default=True, help="Events of the shop."
)
@click.option(
    "--keep", is_flag=True, help="Leave everything in .activity/, to look at with the commands below."
)
@json_option
@click.pass_context
def demo(context: click.Context, /, input_: Path | None, as_json: bool, **options: Any) -> None:
    """Send events the whole way: log, Redis, Postgres, Parquet, metrics, anomalies, ledger.

    Example: activity-pipeline demo --input events.ndjson.gz --rebase --json
    """
    from activity_pipeline.local.demo import DemoRequest, run_demo

    with _quietly(as_json) as say:
        result = run_demo(load_settings(), DemoRequest(input=input_, **options), say)
    if as_json:
        print_json(result.as_dict())
    else:
        _print_demo(result, kept=bool(options["keep"]))
    context.exit(1 if result.ledger.residual or result.verified.faults else 0)


@contextmanager
def _quietly(as_json: bool) -> Iterator[Any]:
    def say(message: str) -> None:
        if not as_json or sys.stderr.isatty():
            click.echo(message, err=True)

    yield say


def _print_demo(result: DemoResult, *, kept: bool) -> None:
    figures = result.as_dict()
    seconds = result.seconds
    click.echo()
    names = ("produced", "inserted", "duplicate", "dead_lettered", "hot", "late", "archived", "erased")
    print_pairs("The ledger", {name: figures[name] for name in names} | {"residual": figures["residual"]})
    archived = [day for day in result.days if day.archived_rows]
    print_pairs(
        "\nWhere the events live",
        {
            "hot": f"{figures['hot_days']:,} days in Postgres, {figures['hot']:,} events, "
            f"{human_bytes(result.hot_bytes)} with indexes",
            "cold": f"{len(archived):,} days in Parquet, {figures['archived']:,} events, "
            f"{human_bytes(sum(day.archived_bytes for day in archived))}",
            "proof": f"{result.verified.manifests:,} manifests, {result.verified.signed:,} of them signed; "
            f"{result.verified.rows:,} events read back; "
            f"{len(result.verified.faults)} faults",
            "states": ", ".join(
                f"{state} {count:,}" for state, count in sorted(Counter(d.state for d in result.days).items())
            ),
        },
    )
    rates: dict[str, object] = {
        name: f"{seconds[name]:6.1f} s  {figures['produced'] / max(seconds[name], 1e-9):>11,.0f} events/s"
        for name in ("produce", "drain")
        if name in seconds
    }
    rates |= {
        name: f"{seconds[name]:6.1f} s"
        for name in ("archive", "retire", "compact", "verify", "seal", "metrics", "anomalies")
        if name in seconds
    }
    print_pairs("\nHow long it took", rates)
    click.echo(f"\n{figures['metrics_rows']:,} rows of daily metrics")
    if result.incidents is None:
        rows = result.anomalies[-MOST_ANOMALIES:]
        shown = [{"severity": row["severity"], "sentence": row["sentence"]} for row in rows]
        print_table(f"{len(result.anomalies):,} anomalies, the last of them", shown, empty="none")
    else:
        _print_incidents(result.incidents)
    _print_next(result.state, kept=kept)


def _print_incidents(report: Report) -> None:
    click.secho("\nIncidents that were planted in the simulated shop", bold=True)
    for incident in report.found:
        click.echo(f"  found   {incident.date}  {incident.description}")
    for incident in report.missed:
        click.echo(f"  MISSED  {incident.date}  {incident.description}")
    others = report.other.to_dicts()
    click.echo(f"  and {len(others)} other flags that no incident explains" + (":" if others else ""))
    for row in others[:MOST_ANOMALIES]:
        click.echo(f"          {row['date']}  {row['sentence']}")


def _print_next(state: Path, *, kept: bool) -> None:
    click.secho("\nWhere to go next", bold=True)
    if not kept:
        click.echo("  activity-pipeline demo --keep   the same again, and it stays to be looked at")
        return
    query = "select source, count(*) as events from activity_logs group by all order by events desc"
    click.echo("  activity-pipeline up            Dagster's pages over what just happened")
    click.echo(f"  activity-pipeline sql {shlex.quote(query)}")
    click.echo("  activity-pipeline anomalies     what was unusual in the last week")
    click.echo("  activity-pipeline ledger        that nothing is missing")
    click.echo(f"  {state}   everything that was written")


@click.command()
@click.option("--port", type=click.IntRange(1, 65535), help="Port of Dagster's pages on 127.0.0.1.")
@click.option("--api-port", type=click.IntRange(1, 65535), help="Port of the HTTP API on 127.0.0.1.")
def up(port: int | None, api_port: int | None) -> None:
    """Run the servers, Dagster's pages, its daemon and the HTTP API until Ctrl-C.

    The sensor then drains what applications log, automation archives and computes.

    Example: activity-pipeline up --port 3000
    """
    import msgspec

    from activity_pipeline.local.api_service import api_service
    from activity_pipeline.local.dagster_services import dagster_services
    from activity_pipeline.local.services import services

    settings = load_settings()
    settings = msgspec.structs.replace(
        settings,
        webserver_port=port or settings.webserver_port,
        api_port=api_port or settings.api_port,
        api_keyless=settings.api_keyless or not settings.postgres_dsn,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: stop.set())
    with (
        services(settings, with_dagster=True) as running,
        dagster_services(running) as dagster,
        api_service(running) as api,
    ):
        print_pairs(
            "activity-pipeline is up; Ctrl-C stops all of it",
            {
                "Dagster": dagster.url,
                "API": f"{api.url}/api/v1",
                "queue": f"ACTIVITY_REDIS_URL={shlex.quote(_without_password(running.redis_url))}",
                "hot events": f"ACTIVITY_POSTGRES_DSN={shlex.quote(_without_password(running.postgres_dsn))}",
                "archive": running.archive_root,
                "logs": f"{dagster.log}, {api.log}",
            },
        )
        while not stop.wait(1.0):
            for each in (dagster, api):
                if each.process.poll() is not None:
                    raise click.ClickException(f"{each.name} has stopped, see {each.log}")
    click.echo("stopped")


def _without_password(url: str) -> str:
    from urllib.parse import urlsplit

    password = urlsplit(url).password
    return url.replace(f":{password}@", ":***@") if password else url


COMMANDS = [demo, up]
