"""`api`: the HTTP API as a process of its own."""

from __future__ import annotations

import click

from activity_pipeline.settings import load_settings


@click.command()
@click.option("--host", help="Address to listen on; default: ACTIVITY_API_HOST, 127.0.0.1.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port; default: ACTIVITY_API_PORT, 3001.")
@click.option("--workers", type=click.IntRange(1, 64), help="Processes; default: ACTIVITY_API_WORKERS, 1.")
def api(host: str | None, port: int | None, workers: int | None) -> None:
    """Serve the HTTP API until Ctrl-C.

    With the embedded servers whoever is on this machine needs no key; everywhere else each request needs
    one of `activity-pipeline keys create`. It speaks HTTP: put what ends TLS in front of it.

    Example: activity-pipeline api --port 3001 --workers 2
    """
    import msgspec

    from activity_pipeline.api.server import serve
    from activity_pipeline.local.services import services

    settings = load_settings()
    given = {"api_host": host, "api_port": port, "api_workers": workers}
    settings = msgspec.structs.replace(
        settings,
        api_keyless=settings.api_keyless or not settings.postgres_dsn,
        **{name: value for name, value in given.items() if value is not None},
    )
    with services(settings) as running:
        click.echo(f"activity-pipeline api: http://{running.api_host}:{running.api_port}/api/v1", err=True)
        serve(running)


COMMANDS = [api]
