"""An event written in a transaction is there if and only if the transaction committed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import UUID

import psycopg
import psycopg2
import pytest
import sqlalchemy as sa
from sqlalchemy.exc import PendingRollbackError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from activity_pipeline.errors import EventError
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.producer import bind
from activity_pipeline.producer.outbox import log_in_transaction, log_in_transaction_async

USER = "4636c1f1-2167-5788-a0ab-3267818abb5d"


@pytest.fixture
def observer(database: str) -> Iterator[Statements]:
    """A connection that sees what others have committed, with a table of business data."""
    with connect(database) as connection:
        connection.execute("create table orders (id integer primary key)")
        yield connection


@pytest.fixture(params=["psycopg", "psycopg2"])
def engine(database: str, observer: Statements, request: pytest.FixtureRequest) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url(database, request.param))
    yield engine
    engine.dispose()


def url(database: str, driver: str) -> str:
    return database.replace("postgresql://", f"postgresql+{driver}://", 1)


def events(observer: Statements) -> list[dict[str, Any]]:
    return [json.loads(line) for (line,) in observer.execute("select line from activity_outbox order by id")]


def actions(observer: Statements) -> list[str]:
    return [event["action"] for event in events(observer)]


def orders(observer: Statements) -> list[int]:
    return [number for (number,) in observer.execute("select id from orders order by id")]


def pay(connection: Any, number: int) -> str:
    """Change something and log it, with a psycopg connection."""
    connection.execute("insert into orders values (%s)", [number])
    return log_in_transaction(connection, f"paid {number}", source="shop")


def test_the_event_is_the_one_that_log_would_have_sent(database: str, observer: Statements) -> None:
    with psycopg.connect(database) as connection, bind(user_id=USER, request_id="r1"):
        event_id = log_in_transaction(
            connection, "paid", source="shop", entity_type="order", entity_id=7, metadata={"to": "“%s” wörld"}
        )
        assert events(observer) == []
    (event,) = events(observer)
    assert event.pop("timestamp")
    assert UUID(event_id).version == 7
    assert event == {
        "id": event_id,
        "source": "shop",
        "action": "paid",
        "entity_type": "order",
        "entity_id": "7",
        "user_id": USER,
        "status": "success",
        "metadata": {"request_id": "r1", "to": "“%s” wörld"},
    }


def test_an_own_id_and_instant_are_kept(database: str, observer: Statements) -> None:
    with psycopg.connect(database) as connection:
        given = {"event_id": UUID(USER), "timestamp": "2026-03-01T00:00:00Z", "status": "denied"}
        assert log_in_transaction(connection, "paid", source="shop", **given) == USER  # type: ignore[arg-type]
    (event,) = events(observer)
    assert event == {"id": USER, "timestamp": given["timestamp"], "source": "shop", "action": "paid"} | {
        "status": "denied"
    }


def test_secrets_are_redacted(database: str, observer: Statements) -> None:
    with psycopg.connect(database) as connection:
        metadata = {"card": {"number": "4111"}, "total": 7}
        log_in_transaction(connection, "paid", source="shop", redact=["number"], metadata=metadata)
        with pytest.raises(EventError):
            log_in_transaction(connection, "lost", source="shop", redact=[lambda event: event["nothing"]])
    (event,) = events(observer)
    assert event["metadata"] == {"card": {"number": "[redacted]"}, "total": 7}


def test_psycopg_rolls_back_and_to_savepoints(database: str, observer: Statements) -> None:
    with psycopg.connect(database) as connection:
        with connection.transaction():
            pay(connection, 1)
            with connection.transaction(force_rollback=True):
                pay(connection, 2)
            with connection.transaction():
                pay(connection, 3)
        with connection.transaction(force_rollback=True):
            pay(connection, 4)
    assert actions(observer) == ["paid 1", "paid 3"]
    assert orders(observer) == [1, 3]


def test_psycopg2_commits_and_rolls_back(database: str, observer: Statements) -> None:
    with closing(psycopg2.connect(database)) as connection:
        log_in_transaction(connection, "kept", source="shop")
        connection.commit()
        log_in_transaction(connection, "taken back", source="shop")
        connection.rollback()
    assert actions(observer) == ["kept"]


def test_a_sqlalchemy_connection(engine: sa.Engine, observer: Statements) -> None:
    with engine.connect() as connection:
        with connection.begin():
            log_in_transaction(connection, "kept", source="100%")
            with connection.begin_nested() as savepoint:
                log_in_transaction(connection, "taken back", source="shop")
                savepoint.rollback()
        log_in_transaction(connection, "never committed", source="shop")
    assert actions(observer) == ["kept"]


def test_a_sqlalchemy_session(engine: sa.Engine, observer: Statements) -> None:
    with Session(engine) as session:
        with session.begin():
            session.execute(sa.text("insert into orders values (1)"))
            log_in_transaction(session, "paid 1", source="shop")
            with pytest.raises(sa.exc.IntegrityError), session.begin_nested():
                log_in_transaction(session, "paid twice", source="shop")
                session.execute(sa.text("insert into orders values (1)"))
        with pytest.raises(sa.exc.IntegrityError), session.begin():
            log_in_transaction(session, "paid twice", source="shop")
            session.execute(sa.text("insert into orders values (1)"))
    assert actions(observer) == ["paid 1"]
    assert orders(observer) == [1]


def test_a_scoped_session(engine: sa.Engine, observer: Statements) -> None:
    session = scoped_session(sessionmaker(engine))
    log_in_transaction(session, "kept", source="shop")
    session.commit()
    session.remove()
    assert actions(observer) == ["kept"]


def test_a_failed_transaction_takes_no_event(engine: sa.Engine, observer: Statements) -> None:
    with Session(engine) as session:
        with pytest.raises(sa.exc.IntegrityError):
            session.execute(sa.text("insert into orders values (1), (1)"))
        with pytest.raises((sa.exc.DBAPIError, PendingRollbackError)):
            log_in_transaction(session, "paid", source="shop")
    assert actions(observer) == []


def test_asynchronous_connections(database: str, observer: Statements) -> None:
    async def with_psycopg() -> None:
        async with await psycopg.AsyncConnection.connect(database) as connection:
            async with connection.transaction():
                await log_in_transaction_async(connection, "psycopg", source="shop")
            async with connection.transaction(force_rollback=True):
                await log_in_transaction_async(connection, "taken back", source="shop")
            with pytest.raises(TypeError, match="log_in_transaction_async"):
                log_in_transaction(connection, "lost", source="shop")

    async def with_sqlalchemy() -> None:
        engine = create_async_engine(url(database, "psycopg"))
        async with engine.begin() as connection:
            await log_in_transaction_async(connection, "connection", source="shop", entity_id="%s")
        async with AsyncSession(engine) as session:
            await log_in_transaction_async(session, "session", source="shop")
            await session.commit()
            await log_in_transaction_async(session, "taken back", source="shop")
            await session.rollback()
            with pytest.raises(TypeError, match="log_in_transaction_async"):
                log_in_transaction(session, "lost", source="shop")
        await engine.dispose()

    asyncio.run(with_psycopg())
    asyncio.run(with_sqlalchemy())
    assert actions(observer) == ["psycopg", "connection", "session"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"action": 1},
        {"source": None},
        {"metadata": ["a"]},
        {"metadata": {"a": object()}},
        {"user_id": 7},
        {"status": True},
        {"timestamp": 0},
        {"entity_type": b"order"},
        {"entity": "order"},
    ],
)
def test_what_is_no_event_raises(database: str, observer: Statements, wrong: dict[str, Any]) -> None:
    refused = pytest.raises((EventError, TypeError))
    with psycopg.connect(database) as connection, refused, connection.transaction():
        connection.execute("insert into orders values (1)")
        log_in_transaction(connection, **({"action": "paid", "source": "shop"} | wrong))
    assert (actions(observer), orders(observer)) == ([], [])


def test_a_connection_that_is_in_no_transaction_is_refused(database: str, observer: Statements) -> None:
    engine = sa.create_engine(url(database, "psycopg"), isolation_level="AUTOCOMMIT")
    with psycopg.connect(database, autocommit=True) as connection:
        with pytest.raises(EventError, match="no transaction"):
            log_in_transaction(connection, "paid", source="shop")
        with connection.transaction():
            log_in_transaction(connection, "in a transaction", source="shop")
    with engine.connect() as connected, pytest.raises(EventError, match="no transaction"):
        log_in_transaction(connected, "paid", source="shop")
    engine.dispose()
    with closing(psycopg2.connect(database)) as older:
        older.autocommit = True
        with pytest.raises(EventError, match="no transaction"):
            log_in_transaction(older, "paid", source="shop")
    assert actions(observer) == ["in a transaction"]


def test_what_is_no_connection_is_refused() -> None:
    with pytest.raises(TypeError, match="str is not a connection"):
        log_in_transaction("postgresql://", "paid", source="shop")
    with pytest.raises(TypeError, match="str is not an asynchronous connection"):
        asyncio.run(log_in_transaction_async("postgresql://", "paid", source="shop"))


def test_without_the_table_the_transaction_fails(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection, pytest.raises(psycopg.errors.UndefinedTable):
        log_in_transaction(connection, "paid", source="shop")
