"""`activity-pipeline`: the commands, and how they end.

Exit codes: 0 well, 1 it found something wrong, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import sys
from typing import Any

import click

from activity_pipeline import __version__
from activity_pipeline.cli import (
    alerts,
    anomalies,
    archive,
    bench,
    dead_letters,
    demo,
    events,
    keys,
    legacy,
    operate,
    query,
    results,
    serve,
    status,
)
from activity_pipeline.errors import ActivityError


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show tracebacks.")
@click.version_option(__version__, prog_name="activity-pipeline")
@click.pass_context
def cli(context: click.Context, debug: bool) -> None:
    """The activity and audit log that costs nothing, loses nothing and proves it.

    With no ACTIVITY_POSTGRES_DSN and ACTIVITY_REDIS_URL set, every command runs on embedded servers
    under .activity/ and shares them with the others.
    """
    context.obj = {"debug": debug}


MODULES = (
    demo,
    query,
    status,
    operate,
    events,
    dead_letters,
    archive,
    results,
    anomalies,
    alerts,
    legacy,
    serve,
    keys,
    bench,
)
for module in MODULES:
    for command in module.COMMANDS:
        cli.add_command(command)


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; errors are one line on stderr."""
    debug = "--debug" in (sys.argv if arguments is None else arguments)
    try:
        outcome: Any = cli.main(arguments, prog_name="activity-pipeline", standalone_mode=False)
    except click.exceptions.Exit as stop:
        return stop.exit_code
    except click.ClickException as error:
        error.show()
        return 2
    except (click.Abort, KeyboardInterrupt):
        click.echo("interrupted", err=True)
        return 130
    except Exception as error:
        if debug or not isinstance(error, _known_errors()):
            raise
        click.echo(f"error: {error}", err=True)
        return 1
    return outcome if isinstance(outcome, int) else 0


def _known_errors() -> tuple[type[Exception], ...]:
    import duckdb
    import psycopg
    import redis

    return (ActivityError, OSError, redis.RedisError, psycopg.Error, duckdb.Error)
