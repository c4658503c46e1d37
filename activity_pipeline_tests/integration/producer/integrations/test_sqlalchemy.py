"""What a SQLAlchemy session changes is logged with old and new values, if and only if it commits."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship, sessionmaker

from activity_pipeline.errors import SettingsError
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.producer import bind
from activity_pipeline.producer.integrations.sqlalchemy import AuditPlugin, TableRules
from activity_pipeline_tests.integration.producer.integrations.conftest import USER, Log


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    password_hash: Mapped[str] = mapped_column(default="x")
    seen: Mapped[int] = mapped_column(default=0)
    credit: Mapped[Decimal] = mapped_column(sa.Numeric(10, 2), server_default="1.50")
    notes: Mapped[list[Note]] = relationship(cascade="all, delete-orphan")


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int] = mapped_column(sa.ForeignKey("users.id"))
    text: Mapped[str]


Rules = dict[Any, TableRules]
OUTBOX: Rules = {User: TableRules(delivery="outbox", exclude={"seen"}, redact={"password_hash"})}


class UserService:
    """The plan's service: it knows nothing of auditing."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self.sessions = sessions

    def create(self, name: str) -> int:
        with self.sessions.begin() as session:
            user = User(name=name)
            session.add(user)
            session.flush()
            return user.id

    def rename(self, user_id: int, name: str) -> None:
        with self.sessions.begin() as session:
            session.get_one(User, user_id).name = name

    def delete(self, user_id: int) -> None:
        with self.sessions.begin() as session:
            session.delete(session.get_one(User, user_id))


@pytest.fixture
def observer(database: str) -> Iterator[Statements]:
    with connect(database) as connection:
        yield connection


@pytest.fixture
def engine(database: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(database.replace("postgresql://", "postgresql+psycopg://", 1))
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def audited(engine: sa.Engine, rules: Rules, **options: Any) -> sessionmaker[Session]:
    sessions = sessionmaker(engine)
    AuditPlugin("shop", rules, **options).install(sessions)
    return sessions


def outbox(observer: Statements) -> list[dict[str, Any]]:
    return [json.loads(line) for (line,) in observer.execute("select line from activity_outbox order by id")]


def told(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [
        (e["action"], e.get("entity_id"), e["metadata"].get("old"), e["metadata"].get("new")) for e in events
    ]


def test_a_service_that_knows_nothing_of_auditing_is_audited(engine: sa.Engine, observer: Statements) -> None:
    service = UserService(audited(engine, OUTBOX))
    with bind(user_id=USER, request_id="r1"):
        number = service.create("Ada")
        service.rename(number, "Grace")
        service.delete(number)
    events = outbox(observer)
    whole = {"id": number, "name": "Grace", "password_hash": "[redacted]", "credit": "1.50"}
    assert told(events) == [
        ("users.insert", str(number), None, whole | {"name": "Ada"}),
        ("users.update", str(number), {"name": "Ada"}, {"name": "Grace"}),
        ("users.delete", str(number), whole, None),
    ]
    assert {e["user_id"] for e in events} == {USER}
    assert {e["metadata"]["request_id"] for e in events} == {"r1"}
    assert len({e["metadata"]["txid"] for e in events}) == 3
    assert events[0]["metadata"]["operation"] == "INSERT"
    assert (events[0]["entity_type"], events[0]["metadata"]["table"]) == ("users", "users")


def test_what_is_taken_back_is_not_logged(engine: sa.Engine, observer: Statements, log: Log) -> None:
    sessions = audited(engine, {User: OUTBOX[User], Note: TableRules()}, activity=log.activity)
    with sessions.begin() as session:
        session.add(User(id=1, name="kept", notes=[Note(id=1, text="kept")]))
        session.flush()
        with session.begin_nested() as savepoint:
            session.add(User(id=2, name="gone", notes=[Note(id=2, text="gone")]))
            session.flush()
            savepoint.rollback()
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(sa.insert(User).values(id=1, name="twice"))
        with session.begin_nested():
            session.add(Note(id=3, user_id=1, text="released"))
        assert log.events() == []
    with sessions() as session:
        session.add(User(id=4, name="never committed", notes=[Note(id=4, text="neither")]))
        session.flush()
    with sessions() as session, pytest.raises(IntegrityError):
        session.add(User(id=1, name="there already"))
        session.commit()
    assert [event["entity_id"] for event in outbox(observer)] == ["1"]
    assert [event["entity_id"] for event in log.events()] == ["1", "3"]


def test_values_that_the_session_has_not_loaded_are_read(engine: sa.Engine, observer: Statements) -> None:
    sessions = audited(engine, OUTBOX)
    with sessions.begin() as session:
        user = User(id=1, name="Ada")
        session.add(user)
        session.flush()
        session.expire(user)
        user.name = "Grace"
        session.flush()
        user.credit = User.credit + 1
        session.flush()
        user.seen = 5  # no event
        session.flush()
        session.expire(user)
        session.delete(user)
    assert told(outbox(observer))[1:3] == [
        ("users.update", "1", {"name": "Ada"}, {"name": "Grace"}),
        ("users.update", "1", {"credit": "1.50"}, {"credit": "2.50"}),
    ]
    assert told(outbox(observer))[3][2]["name"] == "Grace"
    assert len(outbox(observer)) == 4


def test_orphans_and_cascades_are_seen(engine: sa.Engine, observer: Statements) -> None:
    sessions = audited(engine, {}, default=TableRules(delivery="outbox", include={"text"}))
    with sessions.begin() as session:
        session.add(User(id=1, name="Ada", notes=[Note(id=1, text="a"), Note(id=2, text="b")]))
    with sessions.begin() as session:
        user = session.get_one(User, 1)
        user.notes.pop(0)
    with sessions.begin() as session:
        session.delete(session.get_one(User, 1))
    deleted = [each for each in told(outbox(observer)) if each[0] == "notes.delete"]
    assert deleted == [("notes.delete", "1", {"text": "a"}, None), ("notes.delete", "2", {"text": "b"}, None)]


def test_a_bulk_statement_is_one_event_with_its_criteria(engine: sa.Engine, observer: Statements) -> None:
    sessions = audited(engine, OUTBOX)
    with sessions.begin() as session:
        session.execute(sa.insert(User), [{"id": n, "name": f"n{n}"} for n in range(3)])
        statement = sa.update(User).where(User.id > 0, User.password_hash == "x").values(seen=1)
        assert session.execute(statement).rowcount == 2  # type: ignore[attr-defined]
        session.execute(sa.delete(User).where(User.id == 99))
    insert, update = outbox(observer)
    assert (insert["action"], insert["metadata"]["rows"]) == ("users.insert", 3)
    assert (update["action"], update["metadata"]["rows"]) == ("users.update", 2)
    assert "password_hash" in update["metadata"]["statement"]
    assert update["metadata"]["parameters"] == {
        "seen": "[redacted]",
        "id_1": 0,
        "password_hash_1": "[redacted]",
    }


def test_sql_as_a_text_does_not_show_what_is_redacted(engine: sa.Engine, observer: Statements) -> None:
    sessions = audited(engine, OUTBOX)
    with sessions.begin() as session:
        session.add_all([User(name="Ada", password_hash="s3cret")])
    for statement in (
        sa.update(User).where(sa.text("password_hash = 's3cret'")).values(name="Eve"),
        sa.update(User).where(sa.text("password_hash = :name").bindparams(name="s3cret")).values(credit=2),
        sa.update(User).values(password_hash=sa.literal_column("'s3cret'")),
    ):
        with sessions.begin() as session:
            session.execute(statement.execution_options(synchronize_session=False))
    _, *bulk = outbox(observer)
    assert [event["metadata"]["statement"] for event in bulk] == ["[redacted]"] * 3
    assert "s3cret" not in json.dumps(bulk)


def test_sql_as_a_text_about_another_table_does_not_either(engine: sa.Engine, observer: Statements) -> None:
    sessions = audited(engine, {**OUTBOX, Note: TableRules(delivery="outbox")})
    with sessions.begin() as session:
        session.add(User(name="Ada", password_hash="s3cret", notes=[Note(text="kept")]))
    theirs = sa.text("exists (select from users where password_hash = 's3cret')")
    with sessions.begin() as session:
        session.execute(sa.delete(Note).where(theirs).execution_options(synchronize_session=False))
    told = outbox(observer)[-1]["metadata"]
    assert (told["rows"], told["statement"]) == (1, "[redacted]")


def test_sql_as_a_text_is_told_where_nothing_is_hidden(engine: sa.Engine, observer: Statements) -> None:
    sessions = audited(engine, {Note: TableRules(delivery="outbox")})
    with sessions.begin() as session:
        session.add(User(name="Ada", notes=[Note(text="kept")]))
    with sessions.begin() as session:
        every = sa.update(Note).where(sa.text("length(text) > 2")).values(text="long")
        session.execute(every.execution_options(synchronize_session=False))
    assert "length(text) > 2" in outbox(observer)[-1]["metadata"]["statement"]


def test_a_function_around_a_column_does_not_show_what_is_redacted(
    engine: sa.Engine, observer: Statements
) -> None:
    sessions = audited(engine, OUTBOX)
    with sessions.begin() as session:
        session.add_all([User(name="Ada", password_hash="s3cret")])
    with sessions.begin() as session:
        session.execute(
            sa.update(User).where(sa.func.lower(User.password_hash) == "s3cret").values(name="Eve")
        )
    *_, update = outbox(observer)
    assert "s3cret" not in str(update["metadata"])
    assert update["metadata"]["parameters"]["name"] == "Eve"


def test_a_bulk_statement_tells_rows_where_asked(engine: sa.Engine, observer: Statements) -> None:
    sessions = audited(engine, {User: TableRules(delivery="outbox", bulk="rows", include={"id", "name"})})
    with sessions.begin() as session:
        session.execute(sa.insert(User), [{"id": n, "name": f"n{n}"} for n in range(3)])
        session.execute(sa.update(User).where(User.id < 2).values(name=User.name + "!"))
        session.execute(sa.update(User), [{"id": 2, "name": "by key"}])
        session.execute(sa.delete(User).where(User.id == 1))
    assert told(outbox(observer)) == [
        *[("users.insert", str(n), None, {"id": n, "name": f"n{n}"}) for n in range(3)],
        ("users.update", "0", {"name": "n0"}, {"name": "n0!"}),
        ("users.update", "1", {"name": "n1"}, {"name": "n1!"}),
        ("users.update", "2", {"name": "n2"}, {"name": "by key"}),
        ("users.delete", "1", {"id": 1, "name": "n1!"}, None),
    ]


def test_more_rows_than_allowed_become_a_summary(engine: sa.Engine, observer: Statements) -> None:
    sessions = audited(engine, {User: TableRules(delivery="outbox", bulk="rows", max_bulk_rows=2)})
    with sessions.begin() as session:
        session.execute(sa.insert(User), [{"id": n, "name": "n"} for n in range(3)])
        session.execute(sa.update(User).values(name="m"))
    assert [event["metadata"]["rows"] for event in outbox(observer)] == [3, 3]


def test_a_session_that_joined_a_transaction_waits_for_its_commit(engine: sa.Engine, log: Log) -> None:
    plugin = AuditPlugin("shop", {User: TableRules()}, activity=log.activity)
    with engine.connect() as connection:
        for number, end in ((1, "rollback"), (2, "commit")):
            outer = connection.begin()
            session = Session(connection)
            plugin.install(session)
            session.add(User(id=number, name="n"))
            session.commit()
            assert log.events() == [] or number == 1
            getattr(outer, end)()
            session.close()
    assert [event["entity_id"] for event in log.events()] == ["2"]


def test_asynchronous_sessions_are_audited(database: str, engine: sa.Engine, observer: Statements) -> None:
    async def work() -> None:
        dialect = database.replace("postgresql://", "postgresql+psycopg://", 1)
        asynchronous = create_async_engine(dialect)
        sessions = async_sessionmaker(asynchronous)
        AuditPlugin("shop", OUTBOX).install(sessions)
        async with sessions.begin() as session:
            session.add(User(id=1, name="Ada"))
        async with sessions.begin() as session:
            (await session.get_one(User, 1)).name = "Grace"
            await session.execute(sa.update(User).values(seen=2))
        await asynchronous.dispose()

    asyncio.run(work())
    assert [event["action"] for event in outbox(observer)] == ["users.insert", "users.update", "users.update"]


def test_large_values_are_cut(engine: sa.Engine, observer: Statements) -> None:
    sessions = audited(engine, OUTBOX)
    with sessions.begin() as session:
        session.add(User(id=1, name="n" * 100_000))
    (event,) = outbox(observer)
    assert len(event["metadata"]["new"]["name"]) == 4096
    assert event["metadata"]["cut"] == ["name"]


def test_queue_delivery_needs_a_logger() -> None:
    with pytest.raises(SettingsError, match="ActivityLogger"):
        AuditPlugin("shop", {User: TableRules()})
