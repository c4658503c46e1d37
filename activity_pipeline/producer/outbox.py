"""Events that exist if and only if the business change committed: written in its own transaction.

    with connection.transaction():
        connection.execute("update orders set paid = true where id = %s", [8412])
        log_in_transaction(connection, "order.paid", source="shop", entity_type="order", entity_id=8412)

One row goes into the table `activity_outbox` (`activity-pipeline migrate --outbox` makes it); the
drain moves it on. Neither driver is imported here: a connection is known by what it can do.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from activity_pipeline.errors import EventError
from activity_pipeline.events.ids import new_id
from activity_pipeline.producer.context import fill
from activity_pipeline.producer.encoding import encode_event
from activity_pipeline.producer.redaction import Redaction, Redactor

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from activity_pipeline.producer.asynchronous import EventFields

_INSERT = {
    "format": "insert into activity_outbox (line) values (%s)",
    "pyformat": "insert into activity_outbox (line) values (%s)",
    "numeric_dollar": "insert into activity_outbox (line) values ($1)",
}
"""By paramstyle of the driver (PEP 249); SQLAlchemy calls asyncpg's numeric_dollar."""

_IDLE = 0
"""libpq's transaction status PQTRANS_IDLE: there is none."""


def log_in_transaction(
    connection: Any,
    action: str,
    *,
    source: str,
    redact: Sequence[str | Redactor] = (),
    **fields: Unpack[EventFields],
) -> str:
    """Log one event in the transaction that the connection is in; return the event's id.

    The event goes the way of the business change: a rollback, also one to a savepoint, takes it
    back. What is absent or None is taken from `bind`.

    Args:
        connection: A psycopg, psycopg2 or Django connection, or a SQLAlchemy Connection or Session.
        action: What was done, 1 to 128 characters.
        source: Which application this is, 1 to 64 characters.
        redact: As in `ActivityLogger`.
        **fields: As in `ActivityLogger.log`.

    Raises:
        EventError: The event is malformed or cannot be redacted, or there is no transaction (autocommit).
        TypeError: The connection is of an unknown or asynchronous kind, or a field is unknown.
        Exception: Whatever the driver raises. Let it take the transaction with it.
    """
    event_id, line = encode(action, source, redact, **fields)
    if hasattr(connection, "run_sync") or inspect.iscoroutinefunction(getattr(connection, "execute", None)):
        raise TypeError("the connection is asynchronous: use log_in_transaction_async")
    if callable(getattr(connection, "connection", None)):
        connection = connection.connection()  # a Session's
    if hasattr(connection, "exec_driver_sql"):
        write_lines(connection, [line])
    elif hasattr(connection, "cursor"):
        with connection.cursor() as cursor:
            # Django's wrapper has the driver's own inside, once a cursor was asked for.
            _require_transaction(getattr(connection, "connection", connection))
            cursor.execute(_INSERT["format"], (line,))
    else:
        raise TypeError(f"{type(connection).__name__} is not a connection to Postgres")
    return event_id


async def log_in_transaction_async(
    connection: Any,
    action: str,
    *,
    source: str,
    redact: Sequence[str | Redactor] = (),
    **fields: Unpack[EventFields],
) -> str:
    """Do the same with psycopg's AsyncConnection or SQLAlchemy's AsyncConnection or AsyncSession."""
    if hasattr(connection, "run_sync"):
        event_id: str = await connection.run_sync(
            log_in_transaction, action, source=source, redact=redact, **fields
        )
        return event_id
    if not inspect.iscoroutinefunction(getattr(connection, "execute", None)):
        raise TypeError(f"{type(connection).__name__} is not an asynchronous connection")
    event_id, line = encode(action, source, redact, **fields)
    _require_transaction(connection)
    await connection.execute(_INSERT["format"], (line,))
    return event_id


def write_lines(connection: Any, lines: Sequence[str]) -> None:
    """Write events, encoded already, in the transaction of a SQLAlchemy Connection.

    Raises:
        EventError: There is no transaction (autocommit).
        Exception: Whatever the driver raises.
    """
    _require_transaction(connection.connection.dbapi_connection)
    insert = _INSERT[connection.dialect.paramstyle]
    connection.exec_driver_sql(insert, (lines[0],) if len(lines) == 1 else [(line,) for line in lines])


def encode(
    action: str,
    source: str,
    redact: Sequence[str | Redactor] = (),
    *,
    entity_type: str | None = None,
    entity_id: str | int | UUID | None = None,
    user_id: str | UUID | None = None,
    status: str | None = None,
    metadata: dict[str, Any] | None = None,
    timestamp: datetime | str | None = None,
    event_id: str | UUID | None = None,
) -> tuple[str, str]:
    """Return an event's id and its line, with what is bound; see `log_in_transaction`.

    Raises:
        EventError: The event is malformed or cannot be redacted.
    """
    text_id = new_id() if event_id is None else str(event_id)
    filled = fill(entity_type, entity_id, user_id, status, metadata)
    line = encode_event(text_id, timestamp, source, action, *filled)
    if redact:
        line = Redaction(redact)(line)
    return text_id, line.decode()


def _require_transaction(driver: Any) -> None:
    """Refuse a connection that would commit the event by itself, where the driver tells."""
    autocommit = getattr(driver, "autocommit", False)
    if autocommit is True and driver.info.transaction_status == _IDLE:
        raise EventError("the connection is in no transaction: begin one", reason="no_transaction")
