"""What each role may do on the real server, and what it may not."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import msgspec
import psycopg
import pytest

from activity_pipeline.archive import archive_days, expire_days, restore_days
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.events.days import today
from activity_pipeline.hot.connection import (
    Statements,
    connect,
    connect_bulk,
    reading_pool,
)
from activity_pipeline.hot.days import due_days, list_days, seal
from activity_pipeline.hot.ledger import read_ledger
from activity_pipeline.hot.migrations import migrate
from activity_pipeline.hot.results import read_table, stale_days
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.lines import line

ROLES = ("activity_writer", "activity_archiver", "activity_reader")

FORBIDDEN = {
    "activity_writer": [
        "delete from activity_logs_current",
        "update activity_logs_current set action = 'x'",
        "delete from activity_logs_late",
        "insert into activity_logs_archive select * from activity_logs_current",
        "delete from activity_ledger",
        "truncate activity_dead_letters",
        "drop table activity_logs_late",
        "create table mine (id integer)",
        "select activity_drop_day('2026-03-01')",
        "select activity_grant_roles()",
        "insert into activity_manifests default values",
        "select secret_sha256 from activity_api_keys",
        "select activity_note_key_use('{}')",
    ],
    "activity_archiver": [
        "insert into activity_logs_current select * from activity_logs_archive",
        "delete from activity_logs_current",
        "update activity_logs_late set action = 'x'",
        "delete from activity_manifests",
        "update activity_manifests set sha256 = ''",
        "update queue_offsets set last_entry_id = '0-0'",
        "delete from activity_legal_holds",
        "insert into activity_legal_holds (kind, reason, held_by) values ('days', 'x', 'x')",
        "delete from activity_dead_letters",
        "create table mine (id integer)",
        "select activity_grant_roles()",
        "select secret_sha256 from activity_api_keys",
    ],
    "activity_reader": [
        "insert into activity_logs_current select * from activity_logs_archive",
        "update activity_days set state = 'open'",
        "delete from activity_logs_late",
        "delete from activity_api_keys",
        "update activity_api_keys set revoked_at = null",
        "insert into activity_outbox (line) values ('{}')",
        "create table mine (id integer)",
        "select activity_create_day('2026-03-01')",
        "select activity_drop_restored('2026-03-01')",
        "select activity_grant_roles()",
    ],
}

TABLES = """
select relname::text from pg_class
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and not relispartition
order by 1
"""

CALLABLE_BY_ALL = """
select proname::text from pg_proc
where pronamespace = 'public'::regnamespace and prosecdef and has_function_privilege('public', oid, 'execute')
"""


def dsn_of(running: Running, role: str) -> str:
    """Return a DSN that logs in as a role of this cluster."""
    running.statements.execute(psycopg.sql.SQL("alter role {} login").format(psycopg.sql.Identifier(role)))
    return running.settings.postgres_dsn.replace("//activity@", f"//{role}@", 1)


@contextlib.contextmanager
def acting_as(running: Running, role: str) -> Iterator[Running]:
    """Yield the pipeline as a role sees it."""
    dsn = dsn_of(running, role)
    settings = msgspec.structs.replace(running.settings, postgres_dsn=dsn)
    with connect(dsn) as statements, connect_bulk(dsn) as bulk:
        row = statements.execute("select session_user").fetchone()
        assert row == (role,)
        yield Running(settings, running.queue, statements, bulk, running.store)


def test_the_drain_runs_whole_as_the_writer(running: Running) -> None:
    now = datetime.now(UTC)
    late = now - timedelta(days=400)
    with acting_as(running, "activity_writer") as writer:
        for sequence in (0, 3):  # twice: what is stored already goes another way
            writer.send(line(1, now), line(2, late), b"{broken", sequence=sequence)
            writer.drain()
        writer.send(line(3, now, metadata={"a": "x" * 10}), line(4, now - timedelta(days=1)), sequence=6)
        running.statements.execute("insert into activity_outbox (line) values (%s)", [line(5, now).decode()])
        report = writer.drain()
    assert sum(report.inserted.values()) == 3
    ledger = running.ledger()
    assert (ledger.inserted, ledger.duplicate, ledger.dead_lettered, ledger.late) == (5, 2, 2, 1)
    assert ledger.residual == 0, ledger.differences


def test_archive_seal_metrics_and_restore_run_whole_as_the_archiver(running: Running) -> None:
    cold = Cold(running)
    hot = cold.send(today(), 5)
    archived = [*cold.send_hot(cold.day(1), 20), *cold.send_hot(cold.day(2), 20)]
    with acting_as(running, "activity_archiver") as archiver:
        statements, bulk, store = archiver.statements, archiver.bulk, archiver.store
        assert seal(statements, [today()]) == [today()]
        due = due_days(statements, hot_since=cold.day(0))
        assert due == [cold.day(2), cold.day(1)]
        assert len(archive_days(statements, bulk, store, due)) == 2
        more = cold.send(cold.day(1), 5)
        assert len(archive_days(statements, bulk, store, [cold.day(1)])) == 1
        stale = stale_days(statements, "metrics")
        assert sum(refresh_metrics(statements, bulk, store, stale).events.values()) == 50
        refresh_metrics(statements, bulk, store, stale)  # once more: its rows are replaced
        until = timedelta(hours=1)
        assert [day.rows for day in restore_days(statements, bulk, store, [cold.day(1)], until)] == [25]
        last = cold.send(cold.day(1), 1)
        archive_days(statements, bulk, store, [cold.day(1)])
        assert running.count("activity_logs_archive") == 26
        assert expire_days(statements, datetime.now(UTC) + timedelta(days=1)) == [cold.day(1)]
        list(compact(statements, store, None, min_files=2))
    cold.check([*hot, *archived, *more, *last])


def test_the_reader_reads_everything_and_notes_nothing_but_the_use_of_keys(running: Running) -> None:
    Cold(running).send(today(), 5)
    with acting_as(running, "activity_reader") as reader:
        for (table,) in running.statements.execute(TABLES).fetchall():
            name = psycopg.sql.Identifier(table)
            reader.statements.execute(psycopg.sql.SQL("select * from {} limit 1").format(name))
        assert read_ledger(reader.statements).residual == 0
        assert [day.day for day in list_days(reader.statements)] == [today()]
        assert len(read_table(reader.bulk, "activity_metrics_daily", today(), today())) == 0
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.statements.execute("create temporary table mine (id integer)")
        with pytest.raises(psycopg.errors.QueryCanceled):
            reader.statements.execute("set statement_timeout = 20")
            reader.statements.execute("select pg_sleep(10)")
        with connect(dsn_of(running, "activity_reader")) as anew:
            assert anew.execute("show statement_timeout").fetchone() == ("30s",)
        with reader.statements.transaction():
            reader.statements.execute("set transaction read write")
            reader.statements.execute("select activity_note_key_use('{}')")


def test_whoever_serves_reads_takes_the_role_on_where_he_may(running: Running) -> None:
    asked = "select current_user::text, current_setting('statement_timeout'), session_user <> current_user"
    pool = reading_pool(running.settings.postgres_dsn, size=1, statement_timeout_s=1.5, wait_s=10)
    with pool, pool.connection() as connection:
        assert connection.execute(asked).fetchone() == ("activity_reader", "1500ms", True)
        with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
            connection.execute("set transaction read write")
            connection.execute("delete from activity_ledger")


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_may_not(running: Running, role: str) -> None:
    running.statements.execute("select activity_create_day('2026-03-01')")
    with acting_as(running, role) as outsider:
        for statement in FORBIDDEN[role]:
            with pytest.raises(psycopg.errors.InsufficientPrivilege), outsider.statements.transaction():
                outsider.statements.execute("set transaction read write")
                outsider.statements.execute(statement)


def test_a_day_that_is_not_exported_is_dropped_by_nobody(running: Running) -> None:
    running.statements.execute("select activity_create_day('2026-03-01')")
    refused = pytest.raises(psycopg.errors.RaiseException, match="2026-03-01 is not exported")
    with acting_as(running, "activity_archiver") as archiver, refused:
        archiver.statements.execute("select activity_drop_day('2026-03-01')")


def test_what_runs_as_the_owner_is_not_for_everybody(running: Running) -> None:
    assert running.statements.execute(CALLABLE_BY_ALL).fetchall() == []


def test_every_table_says_who_may_write_it(running: Running) -> None:
    """A new table is the reader's to read; who else may use it has to be said in activity_grant_roles."""
    owners_alone = {"activity_api_keys", "activity_legal_holds"}
    said = """
    select c.relname::text from pg_class c, aclexplode(c.relacl) acl
    where acl.grantee in (to_regrole('activity_writer'), to_regrole('activity_archiver'))
    """
    mentioned = {name for (name,) in running.statements.execute(said)}
    tables = {name for (name,) in running.statements.execute(TABLES)}
    assert tables - mentioned - owners_alone == set()


def test_where_roles_may_not_be_made_the_schema_is_made_all_the_same(
    running: Running, empty_database: str
) -> None:
    running.statements.execute("drop role if exists modest")
    running.statements.execute("create role modest login")
    with connect(empty_database) as admin:
        admin.execute("grant create on schema public to modest")
    with connect(empty_database.replace("//activity@", "//modest@", 1)) as modest:
        migrate(modest)
        assert migrated(modest)
    with connect(empty_database) as admin:
        admin.execute("drop owned by modest cascade")
        admin.execute("drop role modest")


def migrated(connection: Statements) -> bool:
    """Tell whether the newest table is there."""
    return connection.execute("select to_regclass('activity_api_keys') is not null").fetchone() == (True,)
