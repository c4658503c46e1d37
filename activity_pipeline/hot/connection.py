"""Connections to Postgres: psycopg for statements, ADBC for columns in bulk."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, TypeAlias

import adbc_driver_manager
import psycopg
from adbc_driver_postgresql import dbapi

from activity_pipeline.errors import StoreError

BulkConnection: TypeAlias = dbapi.Connection
Statements = psycopg.Connection[Any]
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


def gave_way(error: adbc_driver_manager.Error) -> bool:
    """Whether the transaction lost to another one, so that the same once more may succeed."""
    return error.sqlstate in _CONFLICTS
