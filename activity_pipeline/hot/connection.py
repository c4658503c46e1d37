"""Connections to Postgres: psycopg for statements, ADBC for columns in bulk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import adbc_driver_manager
import psycopg
from adbc_driver_postgresql import dbapi

from activity_pipeline.errors import StoreError

BulkConnection = dbapi.Connection
Statements = psycopg.Connection[Any]
APPLICATION_NAME = "activity_pipeline"


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
    """Open both kinds of connection and close them at the end."""
    with connect(dsn) as statements, connect_bulk(dsn) as bulk:
        yield statements, bulk
