"""Whether a follower (`drain --follow`) is at work: it holds an advisory lock of its session."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import psycopg

from activity_pipeline.errors import StoreError
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.queries import load_queries

_SQL = load_queries(__file__)


@contextlib.contextmanager
def following(dsn: str) -> Iterator[Statements]:
    """Say that a follower is at work while the block runs; yields the session that says so.

    Raises:
        StoreError: Postgres does not answer, or refused what the block asked of it.
    """
    with connect(dsn) as session:
        try:
            session.execute(_SQL["hold"])
            try:
                yield session
            finally:
                # Postgres notices the end of a session a moment after it.
                with contextlib.suppress(psycopg.Error):
                    session.execute(_SQL["release"])
        except psycopg.Error as error:
            raise StoreError(f"Postgres: {error}") from error


def still_following(session: Statements) -> None:
    """Ask the session for a sign of life.

    Raises:
        psycopg.OperationalError: It is gone.
    """
    session.execute(_SQL["ping"])


def is_followed(connection: Statements) -> bool:
    """Tell whether a follower of this database is at work."""
    row = connection.execute(_SQL["is_followed"]).fetchone()
    return bool(row and row[0])
