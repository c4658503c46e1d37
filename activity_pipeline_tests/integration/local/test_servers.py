"""Both servers: how they are set, who may reach them, what survives."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import adbc_driver_postgresql.dbapi
import psycopg
import pytest
import redis
import sqlalchemy

from activity_pipeline.errors import LocalStackError
from activity_pipeline.local import LocalStack
from activity_pipeline_tests.integration.local.processes import (
    answers,
    assert_nothing_runs,
    processes_of,
    run_folder_of,
)

POSTGRES_SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_connections": "100",
    "max_wal_size": "2GB",
    "wal_level": "minimal",
    "listen_addresses": "",
    "TimeZone": "UTC",
    "jit": "off",
    "server_encoding": "UTF8",
    "data_checksums": "on",
}
REDIS_SETTINGS = {
    "appendonly": "yes",
    "appendfsync": "everysec",
    "maxmemory-policy": "noeviction",
    "save": "",
    "port": "0",
    "unixsocketperm": "700",
}


def test_servers_are_set_as_promised(shared_stack: LocalStack) -> None:
    with psycopg.connect(shared_stack.postgres_dsn) as connection:
        for name, value in POSTGRES_SETTINGS.items():
            row = connection.execute("select current_setting(%s)", [name]).fetchone()
            assert row == (value,), name
        row = connection.execute("select current_user, current_setting('server_version_num')::int").fetchone()
        assert row is not None
        assert row[0] == "activity"
        assert row[1] // 10000 == 18
    with redis.Redis.from_url(shared_stack.redis_url, decode_responses=True) as queue:
        assert {name: queue.config_get(name)[name] for name in REDIS_SETTINGS} == REDIS_SETTINGS


def test_no_process_listens_on_a_network_port(shared_stack: LocalStack) -> None:
    sockets = set()
    for pid in processes_of(shared_stack.state):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            if os.path.lexists(descriptor):
                sockets.add(str(descriptor.readlink()))
    tables = [Path(f"/proc/net/{table}").read_text().splitlines()[1:] for table in ("tcp", "tcp6")]
    inodes = {f"socket:[{line.split()[9]}]" for lines in tables for line in lines}
    assert not sockets & inodes


@pytest.mark.parametrize("database", ["activity", "dagster"])
def test_every_driver_takes_the_dsn(shared_stack: LocalStack, database: str) -> None:
    dsn = shared_stack.postgres_dsn_for(database)
    with psycopg.connect(dsn) as connection:
        assert connection.execute("select current_database()").fetchone() == (database,)
    for driver in ("psycopg2", "psycopg"):
        engine = sqlalchemy.create_engine(dsn.replace("postgresql:", f"postgresql+{driver}:"))
        with engine.connect() as sql:
            assert sql.execute(sqlalchemy.text("select current_database()")).scalar() == database
        engine.dispose()
    with adbc_driver_postgresql.dbapi.connect(dsn) as adbc, adbc.cursor() as cursor:
        cursor.execute("select current_database()")
        assert cursor.fetchone() == (database,)


def test_data_survive_a_stop(state: Path) -> None:
    stack = LocalStack(state)
    with stack:
        with psycopg.connect(stack.postgres_dsn) as connection:
            connection.execute("create table kept as select 42 as answer")
        with redis.Redis.from_url(stack.redis_url) as queue:
            queue.set("kept", "42")
    assert_nothing_runs(state)
    with stack:
        with psycopg.connect(stack.postgres_dsn) as connection:
            assert connection.execute("select answer from kept").fetchone() == (42,)
        with redis.Redis.from_url(stack.redis_url) as queue:
            assert queue.get("kept") == b"42"


def test_the_state_folder_is_closed_to_others(shared_stack: LocalStack) -> None:
    for path in (shared_stack.state, *shared_stack.state.rglob("*")):
        assert stat.S_IMODE(path.lstat().st_mode) & 0o077 == 0, path


@pytest.mark.parametrize("name", ["d" * 120, 'a, "b" %2F ü?&'])
def test_any_path_will_do(new_state: Path, name: str) -> None:
    deep = new_state / name / name
    with LocalStack(deep) as first, LocalStack(deep) as second:
        assert answers(first)
        assert second.servers == first.servers
        run = run_folder_of(first)
        assert len(os.fsencode(first.servers.postgres_sockets + "/.s.PGSQL.5432")) <= 103
    assert not run.exists()
    assert_nothing_runs(deep)


def test_the_temp_folder_of_the_starter_counts(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deep = state.rename(state.with_name("d" * 120))
    with LocalStack(deep) as first:
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        with LocalStack(deep) as second:
            assert second.servers == first.servers


def test_stacks_side_by_side_do_not_meet(shared_stack: LocalStack, state: Path) -> None:
    with LocalStack(state) as stack:
        assert answers(stack)
        assert stack.servers.supervisor_pid != shared_stack.servers.supervisor_pid
    assert_nothing_runs(state)
    assert answers(shared_stack)


def test_addresses_need_a_started_stack(state: Path) -> None:
    with pytest.raises(LocalStackError, match="not started"):
        _ = LocalStack(state).postgres_dsn
