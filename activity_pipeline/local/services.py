"""Settings with addresses in them: those that are set, the embedded servers for the others."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from activity_pipeline.archive.chain.signing import make_key
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.migrations import migrate
from activity_pipeline.hot.recording import recording
from activity_pipeline.local.stack import LocalStack
from activity_pipeline.settings import Settings, packaged

DAGSTER_DATABASE = "dagster"


@contextlib.contextmanager
def services(settings: Settings, *, with_dagster: bool = False, migrated: bool = True) -> Iterator[Settings]:
    """Yield settings in which every address is set, starting the embedded servers where one is missing.

    How long the block's operations take is recorded in the database (hot/recording.py).

    Args:
        settings: As loaded.
        with_dagster: Whether Dagster's own database is needed too.
        migrated: Bring the embedded database's schema up to date; a database of the user's own is
            migrated by `activity-pipeline migrate` alone.

    Raises:
        LocalStackError: An embedded server does not start.
    """
    settings = msgspec.structs.replace(settings, archive_url=settings.archive_root)
    complete = settings.postgres_dsn and settings.redis_url
    if complete and (settings.dagster_postgres_url or not with_dagster):
        with recording(settings.postgres_dsn):
            yield settings
        return
    with LocalStack(settings.state_path) as stack:
        if not settings.postgres_dsn and migrated:
            with connect(stack.postgres_dsn) as connection:
                migrate(connection)
        if not settings.dagster_postgres_url and with_dagster:
            _relax_run_history(stack)
        running = msgspec.structs.replace(
            settings,
            archive_signing_key=settings.archive_signing_key or _local_key(settings.local_key_path),
            postgres_dsn=settings.postgres_dsn or stack.postgres_dsn,
            redis_url=settings.redis_url or stack.redis_url,
            dagster_postgres_url=settings.dagster_postgres_url or dagster_url(stack),
        )
        with recording(running.postgres_dsn):
            yield running


def _local_key(path: Path) -> str:
    """Return the path of the key that signs the archive, made where there is none."""
    if not path.exists():
        with contextlib.suppress(FileExistsError):  # another process has been quicker
            make_key(path)
    return str(path)


def dagster_url(stack: LocalStack) -> str:
    """Return the URL of Dagster's database; dagster-postgres drives it through psycopg2."""
    return stack.postgres_dsn_for(DAGSTER_DATABASE).replace("postgresql://", "postgresql+psycopg2://", 1)


def _relax_run_history(stack: LocalStack) -> None:
    """Let Dagster's own database answer before its log is on disk.

    A power cut may then cost the last runs of the run history, never an event: those are in another
    database, and each write of Dagster's takes a third of the time.
    """
    with connect(stack.postgres_dsn_for(DAGSTER_DATABASE)) as connection:
        connection.execute("alter database dagster set synchronous_commit = off")


def dagster_environment(settings: Settings) -> dict[str, str]:
    """Make Dagster's home in the state folder; return the environment its processes need."""
    home = settings.state_path / "dagster"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in ("dagster.yaml", "workspace.yaml"):
        target: Path = home / name
        target.write_bytes(packaged(name).read_bytes())
    return {"DAGSTER_HOME": str(home), "PYTHONUNBUFFERED": "1", **settings.environment()}
