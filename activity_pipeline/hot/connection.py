"""Connections to Postgres: psycopg for statements, ADBC for columns in bulk."""

from __future__ import annotations

import contextlib
import select
from collections.abc import Iterator
from typing import Any, TypeAlias

import adbc_driver_manager
import psycopg
from adbc_driver_postgresql import dbapi
from psycopg_pool import ConnectionPool

from activity_pipeline.errors import StoreError
from activity_pipeline.hot.queries import load_queries

BulkConnection: TypeAlias = dbapi.Connection
Statements = psycopg.Connection[Any]
ReadingPool: TypeAlias = "ConnectionPool[Statements]"
_SQL = load_queries(__file__)
KEPT_STATEMENTS = 32
"""Most plans that a reading connection keeps; one over thirty days takes 0.3 MB of its server process."""

APPLICATION_NAME = "activity_pipeline"
_CONFLICTS = ("40001", "40P01")
"""SQLSTATE of a transaction that gave way to another: serialization failure, deadlock."""


def connect(dsn: str) -> Statements:
    """Open a connection that commits each statement; `with connection.transaction()` groups them.

    Raises:
        StoreError: Postgres does not answer.
    """
    try:
        return psycopg.connect(
            dsn,
            autocommit=True,
            connect_timeout=10,
            application_name=APPLICATION_NAME,
            options="-c timezone=UTC",
        )
    except psycopg.OperationalError as error:
        raise StoreError(f"Postgres does not answer: {error}") from error


def connect_bulk(dsn: str) -> BulkConnection:
    """Open a connection that moves Arrow tables by binary COPY; commits only when told.

    Raises:
        StoreError: Postgres does not answer.
    """
    try:
        return dbapi.connect(dsn)
    except adbc_driver_manager.Error as error:
        raise StoreError(f"Postgres does not answer: {error}") from error


@contextlib.contextmanager
def open_hot(dsn: str) -> Iterator[tuple[Statements, BulkConnection]]:
    """Open both kinds of connection and close them at the end.

    Raises:
        StoreError: Postgres does not answer, or refused what the block asked of it.
    """
    with connect(dsn) as statements, connect_bulk(dsn) as bulk:
        try:
            yield statements, bulk
        except (psycopg.Error, adbc_driver_manager.Error) as error:
            raise StoreError(f"Postgres: {error}") from error


def reading_pool(dsn: str, *, size: int, statement_timeout_s: float, wait_s: float) -> ReadingPool:
    """Return a pool, not opened yet, of connections that read and do no more.

    Args:
        dsn: Of a reader, or of anybody who may become one.
        size: Most connections.
        statement_timeout_s: Longest that a statement takes, in seconds.
        wait_s: Longest that a caller waits for a connection, in seconds.
    """
    return ConnectionPool(
        dsn,
        kwargs={
            "autocommit": True,
            "connect_timeout": 10,
            "application_name": APPLICATION_NAME,
            "options": "-c timezone=UTC -c default_transaction_read_only=on "
            f"-c statement_timeout={statement_timeout_s * 1000:.0f}",
        },
        configure=_become_reader,
        check=_check_what_speaks,
        min_size=1,
        max_size=size,
        timeout=wait_s,
        # It pauses for longer each time; given up on, it begins anew with the next who asks.
        reconnect_timeout=2.0,
        open=False,
        name=f"{APPLICATION_NAME}-readers",
    )


def _become_reader(connection: Statements) -> None:
    connection.execute(_SQL["become_reader"])
    connection.prepared_max = KEPT_STATEMENTS


def _check_what_speaks(connection: Statements) -> None:
    """Make sure of the server of a connection, if it has said something unasked: that it ends, mostly."""
    unread = select.poll()
    unread.register(connection.fileno(), select.POLLIN)
    if unread.poll(0):
        ConnectionPool.check_connection(connection)


def gave_way(error: adbc_driver_manager.Error) -> bool:
    """Whether the transaction lost to another one, so that the same once more may succeed."""
    return error.sqlstate in _CONFLICTS
