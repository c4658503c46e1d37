"""The schema goes up, down without a trace and up again; every object says what it is for."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from activity_pipeline.errors import MigrationError
from activity_pipeline.hot import migrations
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.migrations import available, migrate, pending
from activity_pipeline.settings import packaged
from activity_pipeline_tests.schema import dump, programs

OLDER_POSTGRES = (Path("/usr/lib/postgresql/15/bin"), Path("/usr/pgsql-15/bin"))

OBJECTS = """
select 'relation', relname::text from pg_class where relnamespace = 'public'::regnamespace and relkind <> 'i'
union all
select 'type', typname from pg_type where typnamespace = 'public'::regnamespace and typtype = 'd'
union all
select 'function', proname from pg_proc where pronamespace = 'public'::regnamespace
order by 1, 2
"""

WITHOUT_COMMENT = """
select relname || coalesce('.' || attname, '')
from pg_class c
left join pg_attribute a on a.attrelid = c.oid and attnum > 0 and not attisdropped
where relnamespace = 'public'::regnamespace and relkind in ('r', 'p', 'v', 'm') and not relispartition
    and (obj_description(c.oid, 'pg_class') is null or col_description(c.oid, attnum) is null)
union all
select typname from pg_type t
where typnamespace = 'public'::regnamespace and typtype = 'd' and obj_description(t.oid, 'pg_type') is null
union all
select proname from pg_proc p
where pronamespace = 'public'::regnamespace and obj_description(p.oid, 'pg_proc') is null
"""


@pytest.fixture
def empty(empty_database: str) -> Iterator[Statements]:
    with connect(empty_database) as connection:
        yield connection


def objects(connection: Statements) -> list[tuple[str, str]]:
    return connection.execute(OBJECTS).fetchall()


def up_down_up(connection: Statements, dsn: str, folder: Path) -> None:
    names = [migration.name for migration in available()]
    assert pending(connection) == names
    assert migrate(connection) == names
    assert migrate(connection) == pending(connection) == []
    first = dump(dsn, folder)
    assert migrate(connection, to=0) == [f"{name} (back)" for name in reversed(names)]
    assert objects(connection) == [("relation", "activity_migrations")]
    assert migrate(connection) == names
    assert dump(dsn, folder) == first


def test_up_down_and_up_again_is_the_same(empty: Statements, empty_database: str) -> None:
    up_down_up(empty, empty_database, programs())


def test_down_takes_days_with_it(empty: Statements) -> None:
    migrate(empty)
    empty.execute("select activity_create_day('2026-03-01'), activity_seal_day('2026-03-01')")
    migrate(empty, to=0)
    assert objects(empty) == [("relation", "activity_migrations")]


def test_each_step_down_undoes_its_step_up(empty: Statements) -> None:
    versions = [migration.version for migration in available()]
    seen = []
    for version in versions:
        migrate(empty, to=version)
        seen.append(objects(empty))
    for version, expected in zip(reversed(versions), reversed(seen), strict=True):
        migrate(empty, to=version)
        assert objects(empty) == expected


def test_a_version_that_does_not_exist_is_refused(empty: Statements) -> None:
    with pytest.raises(MigrationError, match="no version 99"):
        migrate(empty, to=99)
    assert pending(empty)


def test_a_changed_file_is_refused(empty: Statements) -> None:
    migrate(empty)
    empty.execute("update activity_migrations set sha256 = 'other' where version = 2")
    before = objects(empty)
    for target in (None, 0):
        with pytest.raises(MigrationError, match="0002_ledger was changed after it ran"):
            migrate(empty, to=target)
    assert objects(empty) == before


def test_a_step_of_a_newer_release_is_refused(empty: Statements) -> None:
    migrate(empty)
    empty.execute("insert into activity_migrations values (9999, '9999_newer', '')")
    with pytest.raises(MigrationError, match="9999_newer ran here but is not in this release"):
        migrate(empty)


def test_a_failed_step_leaves_the_schema_as_it_was(
    empty: Statements, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(packaged("sql"), tmp_path / "sql")
    folder = tmp_path / "sql" / "migrations"
    (folder / "9001_fine.sql").write_text("create table fine (id integer);")
    (folder / "9001_fine.rollback.sql").write_text("drop table fine;")
    (folder / "9002_broken.sql").write_text("create table half (id integer); select 1 / 0;")
    (folder / "9002_broken.rollback.sql").write_text("drop table half;")
    migrate(empty)
    before = objects(empty)
    monkeypatch.setattr(migrations, "packaged", lambda name: tmp_path / name)
    with pytest.raises(MigrationError, match="9002_broken failed: division by zero"):
        migrate(empty)
    assert objects(empty) == before
    assert migrate(empty, to=9001) == ["9001_fine"]


def test_two_at_once_take_turns(empty_database: str) -> None:
    with connect(empty_database) as first, connect(empty_database) as second:
        with first.transaction():
            migrate(first)
            second.execute("set lock_timeout = '50ms'")
            with pytest.raises(psycopg.errors.LockNotAvailable):
                migrate(second)
        second.execute("reset lock_timeout")
        assert migrate(second) == []


def test_every_object_says_what_it_is_for(empty: Statements) -> None:
    migrate(empty)
    assert empty.execute(WITHOUT_COMMENT).fetchall() == []


def test_functions_are_one_a_file_in_lower_case_with_a_safe_search_path() -> None:
    files = sorted((packaged("sql") / "functions").glob("*.sql"))
    assert files
    for path in files:
        text = path.read_text()
        assert text.count("create or replace function") == 1, path
        assert f"function public.{path.stem}(" in text, path
        inlined = "inlines" in text
        assert ("set search_path = ''" in text) != inlined, path


def test_keywords_are_in_lower_case() -> None:
    for path in packaged("sql").rglob("*.sql"):
        code = [line.split("--")[0] for line in path.read_text().splitlines() if " is '" not in line]
        shouted = {
            word for line in code for word in line.split("'")[0].split() if word.isalpha() and word.isupper()
        }
        assert not shouted, (path, shouted)


@pytest.fixture
def older_postgres() -> Iterator[tuple[str, Path]]:
    """A cluster of the oldest Postgres that is promised to work, if this machine has it."""
    programs = next((folder for folder in OLDER_POSTGRES if (folder / "initdb").exists()), None)
    if programs is None:
        pytest.skip(f"Postgres 15 is not installed: looked in {', '.join(map(str, OLDER_POSTGRES))}")
    uid = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    # A path of its own: a cluster's user must be able to pass through to it.
    with tempfile.TemporaryDirectory(prefix="activity-pg15-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        for path in (Path(folder), data):
            path.chmod(0o700)
            if uid is not None:
                os.chown(path, uid, -1)
        control: list[str | Path] = [programs / "pg_ctl", "--pgdata", data, "--silent", "--wait"]
        options = f"-c listen_addresses='' -c unix_socket_directories='{folder}' -c fsync=off"
        initdb: list[str | Path] = [
            programs / "initdb",
            "-D",
            data,
            "-U",
            "activity",
            "-A",
            "trust",
            "-E",
            "UTF8",
        ]
        subprocess.run([*initdb, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=folder, user=uid)
        log = Path(folder) / "log"
        subprocess.run([*control, "-o", options, "-l", log, "start"], check=True, cwd=folder, user=uid)
        try:
            yield f"postgresql://activity@/postgres?host={folder}", programs
        finally:
            subprocess.run([*control, "--mode=immediate", "stop"], check=True, cwd=folder, user=uid)


def test_postgres_15(older_postgres: tuple[str, Path]) -> None:
    dsn, programs = older_postgres
    with connect(dsn) as connection:
        up_down_up(connection, dsn, programs)
        connection.execute("select activity_create_day('2026-03-01'), activity_seal_day('2026-03-01')")
