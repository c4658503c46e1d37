"""Servers of the benchmarks' own, and a fresh database for each turn."""

from __future__ import annotations

import contextlib
import itertools
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import redis
from psycopg import sql

from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.migrations import migrate
from activity_pipeline.local import LocalStack
from activity_pipeline.queue.connection import connect as connect_queue

TEMPLATE = "bench_template"


@dataclass(frozen=True)
class Servers:
    """An embedded stack that nobody else uses.

    Attributes:
        stack: The servers.
        queue: A client of its Redis.
    """

    stack: LocalStack
    queue: redis.Redis
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    @contextlib.contextmanager
    def fresh_database(self, template: str = TEMPLATE) -> Iterator[str]:
        """Yield the DSN of a new database; the queue is emptied and Postgres has written its pages back.

        Args:
            template: Name of the database that it is a copy of, by default one with the schema alone.
        """
        name = f"bench_{next(self._numbers)}"
        self.queue.flushall()
        with connect(self.stack.postgres_dsn) as admin:
            admin.execute(
                sql.SQL("create database {} template {} strategy file_copy").format(
                    sql.Identifier(name), sql.Identifier(template)
                )
            )
            admin.execute("checkpoint")
            try:
                yield self.stack.postgres_dsn_for(name)
            finally:
                admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


@contextlib.contextmanager
def bench_servers() -> Iterator[Servers]:
    """Start Postgres and Redis in a folder that is gone afterwards."""
    with (
        tempfile.TemporaryDirectory(prefix="activity-bench-") as folder,
        LocalStack(Path(folder)) as stack,
        connect_queue(stack.redis_url, timeout_s=60) as queue,
    ):
        with connect(stack.postgres_dsn) as admin:
            admin.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
        with connect(stack.postgres_dsn_for(TEMPLATE)) as connection:
            migrate(connection)
        yield Servers(stack, queue)
