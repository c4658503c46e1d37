"""Real servers for the tests: one embedded stack for the session, a fresh database for each test."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg
import pytest
import redis
from hypothesis import settings as hypothesis_settings

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.bench.legacy.application import create_application
from activity_pipeline.events.frame import Frame
from activity_pipeline.hot.connection import BulkConnection, Statements, connect, connect_bulk
from activity_pipeline.hot.ledger import Ledger, read_ledger
from activity_pipeline.hot.migrations import migrate, migrate_outbox
from activity_pipeline.ingest import DrainConfig, DrainReport, drain
from activity_pipeline.local import LocalStack
from activity_pipeline.queue.append import append
from activity_pipeline.queue.connection import Shard
from activity_pipeline.queue.connection import connect as connect_queue
from activity_pipeline.settings import Settings

# How long an example takes says how busy the machine is.
hypothesis_settings.register_profile("any machine", deadline=None)
hypothesis_settings.load_profile("any machine")

_numbers = itertools.count()
NO_DAGSTER = "http://127.0.0.1:9"
"""Nothing listens there: no test reports to a Dagster that happens to run on this machine."""


@pytest.fixture(scope="session")
def stack() -> Iterator[LocalStack]:
    """Postgres and Redis for the session, in a folder that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="activity-tests-") as folder, LocalStack(Path(folder)) as running:
        yield running


@pytest.fixture(scope="session")
def template(stack: LocalStack) -> str:
    """A database with the schema, cloned for each test."""
    name = "template_activity"
    with connect(stack.postgres_dsn) as admin:
        admin.execute(f"create database {name}")
    with connect(stack.postgres_dsn_for(name)) as connection:
        migrate(connection)
    return name


class Databases:
    """Fresh databases: while a test runs, the next one is made and the last one dropped."""

    def __init__(self, stack: LocalStack, template: str, pool: ThreadPoolExecutor) -> None:
        self.stack = stack
        self.template = template
        self.pool = pool
        self.spare = pool.submit(self.create, template)

    def take(self) -> str:
        """Return the name of a migrated database."""
        name = self.spare.result()
        self.spare = self.pool.submit(self.create, self.template)
        return name

    def create(self, template: str) -> str:
        """Make a database and return its name."""
        name = f"test_{next(_numbers)}"
        with connect(self.stack.postgres_dsn) as admin:
            admin.execute(f"create database {name} template {template}")
        return name

    def lend(self, name: str) -> Iterator[str]:
        """Yield a database's DSN and drop it afterwards."""
        yield self.stack.postgres_dsn_for(name)
        self.pool.submit(self.drop, name)

    def drop(self, name: str) -> None:
        """Drop a database, whoever is connected."""
        with connect(self.stack.postgres_dsn) as admin:
            admin.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def databases(stack: LocalStack, template: str) -> Iterator[Databases]:
    """Fresh databases, at hand when a test begins."""
    with ThreadPoolExecutor(1) as pool:
        yield Databases(stack, template, pool)


@pytest.fixture
def empty_database(databases: Databases) -> Iterator[str]:
    """The DSN of a database without any schema."""
    yield from databases.lend(databases.create("template1"))


@pytest.fixture
def database(databases: Databases) -> Iterator[str]:
    """The DSN of a fresh, migrated database."""
    yield from databases.lend(databases.take())


@pytest.fixture
def application(databases: Databases) -> Iterator[str]:
    """The DSN of an application's own database, with nothing of ours but the outbox."""
    for dsn in databases.lend(databases.create("template1")):
        with connect(dsn) as connection:
            migrate_outbox(connection)
        yield dsn


@dataclass(frozen=True)
class Running:
    """A pipeline on real servers, and what tests do with it.

    Attributes:
        settings: Addresses and limits.
        queue: The Redis.
        statements: psycopg on the database.
        bulk: ADBC on the database.
        store: The archive.
    """

    settings: Settings
    queue: redis.Redis
    statements: Statements
    bulk: BulkConnection
    store: ArchiveStore

    def send(self, *lines: bytes, producer: str = "test", sequence: int = 0, shard: int = 0) -> None:
        """Append lines as one frame."""
        frame = Frame(
            body=b"".join(line + b"\n" for line in lines),
            count=len(lines),
            producer=producer,
            sequence=sequence,
        )
        append(self.queue, Shard(shard), [frame])

    def drain(self, **changes: object) -> DrainReport:
        """Drain until the queue is empty."""
        settings = msgspec.structs.replace(self.settings, drain_idle_s=0.0, drain_budget_s=600.0, **changes)
        return drain(DrainConfig.of(settings), KnownEvents(self.store))

    def ledger(self) -> Ledger:
        """Read the ledger."""
        return read_ledger(self.statements)

    def count(self, table: str) -> int:
        """Count a table's rows."""
        query = psycopg.sql.SQL("select count(*) from {}").format(psycopg.sql.Identifier(table))
        row = self.statements.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def ids(self) -> Counter[UUID]:
        """Count the ids of the events in Postgres."""
        return Counter(row[0] for row in self.statements.execute("select id from activity_logs"))

    def states(self) -> dict[date, str]:
        """Return each known day's state."""
        return dict(self.statements.execute("select day, state from activity_days").fetchall())


def settings_of(stack: LocalStack, database: str, folder: Path) -> Settings:
    """Return settings of a pipeline with everything in a folder of its own."""
    return Settings(
        postgres_dsn=database,
        redis_url=stack.redis_url,
        archive_url=str(folder / "archive"),
        state_dir=str(folder / "state"),
        spool_dir=str(folder / "spool"),
        dagster_url=NO_DAGSTER,
    )


@pytest.fixture
def settings(stack: LocalStack, database: str, tmp_path: Path) -> Settings:
    """Settings of a pipeline of this test alone."""
    return settings_of(stack, database, tmp_path)


@contextlib.contextmanager
def open_running(settings: Settings) -> Iterator[Running]:
    """Open a pipeline with an empty queue."""
    with (
        connect_queue(settings.redis_url) as queue,
        connect(settings.postgres_dsn) as statements,
        connect_bulk(settings.postgres_dsn) as bulk,
    ):
        queue.flushall()
        yield Running(settings, queue, statements, bulk, ArchiveStore(settings.archive_root))


@pytest.fixture
def running(settings: Settings) -> Iterator[Running]:
    """A pipeline with an empty queue, database and archive."""
    with open_running(settings) as running:
        yield running


@pytest.fixture(scope="session")
def legacy_template(databases: Databases) -> str:
    """The name of a database with the application of sql/legacy and our tables beside its own."""
    name = "template_legacy"
    with connect(databases.stack.postgres_dsn) as admin:
        admin.execute(f"create database {name}")
    with connect(databases.stack.postgres_dsn_for(name)) as connection:
        migrate(connection)
        create_application(connection)
    return name


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real events; tests that need it say why they are skipped without it."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("ACTIVITY_TEST_DATA", default))
    if not folder.is_dir():
        pytest.skip("no real events here: set ACTIVITY_TEST_DATA to their folder")
    return folder
