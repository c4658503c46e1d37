"""`legacy example`."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import click

from activity_pipeline.cli.output import json_option, print_json, print_table


@click.command()
@json_option
def example(as_json: bool) -> None:
    """Run a service that logs instead of triggers, on embedded servers that are gone afterwards.

    Its code is activity_pipeline/legacy/example/user_service.py.

    Example: activity-pipeline legacy example
    """
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    from activity_pipeline.archive import ArchiveStore
    from activity_pipeline.archive.files.known import KnownEvents
    from activity_pipeline.events.filters import Filters
    from activity_pipeline.hot.connection import connect
    from activity_pipeline.hot.migrations import migrate
    from activity_pipeline.ingest import DrainConfig, drain
    from activity_pipeline.legacy.example.user_service import SOURCE, Base, UserService
    from activity_pipeline.local import LocalStack
    from activity_pipeline.producer import ActivityLogger
    from activity_pipeline.query.service import open_query
    from activity_pipeline.settings import Settings

    with (
        tempfile.TemporaryDirectory(prefix="activity-example-") as folder,
        LocalStack(Path(folder) / "state") as stack,
    ):
        settings = Settings(
            postgres_dsn=stack.postgres_dsn,
            redis_url=stack.redis_url,
            archive_url=f"{folder}/archive",
            spool_dir=f"{folder}/spool",
            drain_idle_s=0.0,
        )
        with connect(settings.postgres_dsn) as connection:
            migrate(connection)
        engine = create_engine("postgresql+psycopg://", creator=lambda: _plain(settings.postgres_dsn))
        Base.metadata.create_all(engine)
        with ActivityLogger(settings.redis_url, source=SOURCE, spool_dir=settings.spool_path) as activity:
            service = UserService(sessionmaker(engine), activity)
            ada = service.create_user("Ada", "ada@example.org", "free", "tok_4242")
            service.change_plan(ada, "pro")
            with contextlib.suppress(ValueError):
                service.close_account(ada, "")
            service.close_account(ada, "moved on")
        engine.dispose()
        drain(DrainConfig.of(settings), KnownEvents(ArchiveStore(settings.archive_root)))
        with open_query(settings) as query:
            events = query.get_activities(Filters(sources=(SOURCE,)), order="oldest").events
    rows = [
        {"action": event.action, "entity": event.entity_type, "metadata": event.metadata_text}
        for event in events
    ]
    if as_json:
        print_json(rows)
    else:
        print_table("what the service told", rows, empty="nothing")


def _plain(dsn: str) -> object:
    import psycopg

    return psycopg.connect(dsn)


COMMANDS = [example]
