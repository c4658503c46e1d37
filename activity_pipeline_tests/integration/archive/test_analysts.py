"""What analysts open: activity.duckdb wherever it was copied to, datasets, frames, an Iceberg table."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from math import isnan
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from activity_pipeline.archive import ArchiveStore, dataset, open_duckdb, scan
from activity_pipeline.archive.analyst import views
from activity_pipeline.archive.analyst.catalogue import open_table, register
from activity_pipeline.archive.analyst.comments import table_comments
from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.archive.chain.index import newest_entries
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.archive.files.layout import FILE_SCHEMA
from activity_pipeline.cli.main import run
from activity_pipeline.events.days import ONE_DAY
from activity_pipeline.events.model import FIELDS
from activity_pipeline.local import LocalStack
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline_tests.conftest import Databases, Running, open_running, settings_of
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.lines import event


@dataclass(frozen=True)
class Filled:
    """An archive of seven days with five events each, published; tests do not change it.

    Attributes:
        root: Its folder.
        together: The days that share a file.
        alone: The days after them, which have one each.
    """

    root: Path
    together: list[date]
    alone: list[date]

    @property
    def counted(self) -> list[tuple[date, int]]:
        """Its days with their events."""
        return [(day, 5) for day in (*self.together, *self.alone)]


@pytest.fixture(scope="module")
def filled(
    stack: LocalStack, databases: Databases, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Filled]:
    folder = tmp_path_factory.mktemp("analysts")
    for dsn in databases.lend(databases.take()):
        with open_running(settings_of(stack, dsn, folder)) as running:
            cold = Cold(running)
            together = [cold.day(back) for back in (9, 8, 7, 5)]
            alone = [cold.day(back) for back in (3, 2, 1)]
            for day in together:
                cold.send(day, 5)
            cold.archive()
            assert len(list(compact(running.statements, running.store, min_files=2))) == 1
            for day in alone:
                cold.send(day, 5)
            cold.archive()
            refresh_metrics(running.statements, running.bulk, running.store, list(running.states()))
            publish_views(running.store)
            yield Filled(Path(running.store.root), together, alone)


def elsewhere(code: str, *arguments: str, cwd: Path = Path("/")) -> Any:
    """Run Python in a process of its own, and return what it prints as JSON."""
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


COUNT = """
import duckdb, json, sys
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(json.dumps(connection.execute("select count(*) from activity_logs").fetchone()[0]))
"""


def opened(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, int]:
    """Return how many files a query opens, and how many row groups it reads."""
    plan = connection.execute(f"explain analyze {query}").fetchall()[0][1]
    files = sum(int(n) for n in re.findall(r"Total Files Read: (\d+)", plan))
    groups = sum(int(n) for n in re.findall(r"Row Groups Scanned: (\d+) /", plan))
    return files, groups


def test_a_day_opens_its_own_file(filled: Filled) -> None:
    together, alone = filled.together, filled.alone
    with open_duckdb(filled.root) as archive:

        def plan(where: str) -> tuple[int, int]:
            return opened(archive, f"select count(*), min(source) from activity_logs where {where}")

        assert plan("true") == (4, 4)
        assert plan(f"date = '{alone[0]}'") == (1, 1)
        assert plan(f"date between '{alone[0]}' and '{alone[1]}'") == (2, 2)
        assert plan(f"date = '{together[0]}'") == (1, 1)
        assert plan(f"date > '{alone[-1]}'") == (0, 0)
        at = f"timestamp >= '{alone[1]} 00:00:00+00' and timestamp < '{alone[2]} 00:00:00+00'"
        assert plan(at)[1] == 1
        of_day = "select count(*) from activity_logs where date = ?"
        for day, count in filled.counted:
            assert archive.execute(of_day, [day]).fetchone() == (count,)


def test_of_many_files_a_filter_by_timestamp_opens_those_of_its_years(
    cold: Cold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "MANY_FILES", 2)
    days = [date(2024, 12, 30), date(2024, 12, 31), date(2025, 1, 1)]
    for day in days:
        cold.send(day, 4)
    cold.archive()
    with open_duckdb(cold.running.store.url) as archive:
        counted = "select date, count(*) from activity_logs group by 1 order by 1"
        assert archive.execute(counted).fetchall() == [(day, 4) for day in days]
        at = "select count(*) from activity_logs where timestamp >= timestamptz '2025-01-01 00:00+00'"
        assert archive.execute(at).fetchone() == (4,)
        assert opened(archive, at) == (1, 1)


@pytest.mark.parametrize("name", ["it's a copy", "date=2020-01-01"])
def test_a_copied_archive_is_opened_where_it_lies(filled: Filled, tmp_path: Path, name: str) -> None:
    copy = tmp_path / name
    shutil.copytree(filled.root, copy)
    # What is only in the copy is not read from where it was published.
    last = copy / f"events/date={filled.alone[-1]}/part-1.parquet"
    shutil.copyfile(copy / f"events/date={filled.alone[0]}/part-1.parquet", last)
    code = """
import duckdb, json, os, sys
counts = []
for folder, path in json.loads(sys.argv[1]):
    os.chdir(folder)
    with duckdb.connect(path, read_only=True) as connection:
        query = "select min(date), max(timestamp), count(*) from activity_logs"
        counts.append([str(value) for value in connection.execute(query).fetchone()])
print(json.dumps(counts))
"""
    ways = [(copy, "activity.duckdb"), (tmp_path, f"{name}/activity.duckdb"), ("/", copy / "activity.duckdb")]
    found = elsewhere(code, json.dumps(ways, default=str))
    first = str(filled.together[0])
    assert [(row[0], row[2]) for row in found] == [(first, "35")] * 3
    assert all(row[1] < str(filled.alone[-1]) for row in found)
    quoted = str(copy).replace("'", "''")
    with duckdb.connect() as connection:
        connection.execute(f"set variable activity_root = '{quoted}'")
        connection.execute(f"attach '{quoted}/activity.duckdb' as cold (read_only)")
        newest = "select max(timestamp) < ? from {}activity_logs"
        midnight = datetime.combine(filled.alone[-1], datetime.min.time(), UTC)
        assert connection.execute(newest.format("cold."), [midnight]).fetchone() == (True,)
        connection.execute((copy / "views.sql").read_text())
        assert connection.execute(newest.format(""), [midnight]).fetchone() == (True,)


def test_whoever_has_the_old_database_open_keeps_reading(cold: Cold) -> None:
    store = cold.running.store
    path = Path(store.root) / "activity.duckdb"
    cold.send_hot(cold.day(1), 5)
    cold.archive()
    publish_views(store)
    before = path.stat()
    publish_views(store)
    assert path.stat() == before
    assert path.stat().st_mode & 0o777 == 0o600
    with duckdb.connect(path, read_only=True) as old:
        assert old.execute("select count(*) from activity_logs").fetchone() == (5,)
        cold.send(cold.day(1), 3)
        cold.archive()
        publish_views(store)
        assert old.execute("select count(*) from activity_logs").fetchone() == (5,)
        assert elsewhere(COUNT, str(path)) == 8
    assert not list(Path(store.root).glob(".*"))


def test_a_lost_database_is_made_again(cold: Cold) -> None:
    store = cold.running.store
    publish_views(store)
    path = Path(store.root) / "activity.duckdb"
    path.unlink()
    publish_views(store)
    assert elsewhere(COUNT, str(path)) == 0


def test_every_view_and_column_says_what_it_is(filled: Filled) -> None:
    with duckdb.connect(filled.root / "activity.duckdb", read_only=True) as database:
        said = dict(
            database.execute("select view_name, comment from duckdb_views() where not internal").fetchall()
        )
        columns = database.execute(
            "select table_name, column_name, comment from duckdb_columns() where not internal"
        ).fetchall()
    assert set(said) == {
        "activity_logs",
        "activity_archive_days",
        "activity_metrics_daily",
        "activity_metrics_hourly",
        "activity_users_daily",
        "activity_anomalies_daily",
    }
    assert all(said.values())
    assert [column for column in columns if not column[2]] == []
    assert ("activity_logs", "user_id", "Who did it; absent for systems") in columns
    assert ("activity_metrics_daily", "source", "The system that it happened in") in columns


def test_the_comments_are_those_that_postgres_has(running: Running) -> None:
    rows = running.statements.execute(
        "select c.relname, coalesce(a.attname, ''), d.description "
        "from pg_description d join pg_class c on c.oid = d.objoid and d.classoid = 'pg_class'::regclass "
        "left join pg_attribute a on a.attrelid = c.oid and a.attnum = d.objsubid and d.objsubid > 0 "
        "where c.relname like 'activity%' or c.relname like 'queue%'"
    ).fetchall()
    ours = table_comments()
    theirs = {(table, column): text for table, column, text in rows if table in ours and text[:6] != "As in "}
    assert len(theirs) > 50
    assert {key: ours[key[0]][key[1]] for key in theirs} == theirs


def test_the_days_are_those_of_the_manifests(filled: Filled) -> None:
    with open_duckdb(filled.root) as archive:
        rows = archive.execute("select * from activity_archive_days order by day").fetchall()
    assert [(row[0], row[2]) for row in rows] == filled.counted
    for row, entry in zip(rows, newest_entries(ArchiveStore(str(filled.root))).values(), strict=True):
        assert row[1:5] == (entry.generation, entry.row_count, entry.size_bytes, len(entry.files))
        assert row[5:] == (entry.files[0].first_at, entry.files[-1].last_at)


def test_days_are_utc_in_any_time_zone(filled: Filled) -> None:
    with duckdb.connect(filled.root / "activity.duckdb", read_only=True) as archive:
        archive.execute("set timezone = 'Pacific/Auckland'")
        rows = archive.execute("select date, count(*) from activity_logs group by 1 order by 1").fetchall()
    assert rows == filled.counted


def test_another_result_is_a_view_too(cold: Cold) -> None:
    store = cold.running.store
    with store.writing("results/activity_hours/2026-01.parquet") as stream:
        pq.write_table(pa.table({"hour": [1, 2]}), stream)
    with open_duckdb(store.url) as archive:
        assert archive.execute("select sum(hour) from activity_hours").fetchone() == (3,)


def test_a_dataset_opens_what_it_must(filled: Filled, tmp_path: Path) -> None:
    root, day = tmp_path / "copy", filled.alone[1]
    shutil.copytree(filled.root, root)
    found = dataset(root)
    assert found.schema == FILE_SCHEMA
    assert found.count_rows() == 35
    assert len(found.files) == 4
    start = datetime.combine(day, datetime.min.time(), UTC)
    of_day = (pc.field("timestamp") >= start) & (pc.field("timestamp") < start + ONE_DAY)
    assert len(list(found.get_fragments(filter=of_day))) == 1
    for path in root.glob("events/*/*.parquet"):
        if str(day) not in str(path):
            path.unlink()
    assert found.to_table(filter=of_day).num_rows == 5
    frame, at = pl.scan_pyarrow_dataset(found), pl.col("timestamp")
    assert frame.filter(at >= start, at < start + ONE_DAY).select(pl.len()).collect().item() == 5
    assert dataset(root, [day]).count_rows() == scan(root, [day]).collect().height == 5


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_some_days(filled: Filled, where: str) -> None:
    url = str(filled.root)
    if where == "memory":
        url = f"memory:///{filled.root.parent.name}"
        here, there = ArchiveStore(str(filled.root)), ArchiveStore(url)
        for path in here.find(""):
            there.create(path, here.read(path))
    asked = [filled.together[1], filled.together[3], filled.alone[0]]
    found = dataset(url, asked)
    assert found.count_rows() == 15
    assert Counter(at.date() for at in found.to_table()["timestamp"].to_pylist()) == dict.fromkeys(asked, 5)
    assert len(_over(found)) == 15
    frame = scan(url, asked).collect()
    assert Counter(at.date() for at in frame["timestamp"]) == dict.fromkeys(asked, 5)
    assert dataset(url, []).count_rows() == scan(url, []).collect().height == 0
    every = [day for day, _ in filled.counted]
    assert dataset(url, every).count_rows() == dataset(url).count_rows() == scan(url).collect().height == 35
    with open_duckdb(url) as archive:
        assert archive.execute("select count(*) from activity_logs").fetchone() == (35,)


METADATA: list[Any] = [
    None,
    {},
    {"z": 1, "a": {"ä": [None, {"b": None}, "“😀”", '\u007f\n\t\\"']}, "": 0},
    {"big": 10**30, "small": -1.5e-7, "exact": 12345678901234567890.12345, "yes": True},
    '{"dup": 1, "dup": 2, "f": 1.10, "e": 1e5, "u": "\\u00e9"}',
]


def test_all_readers_give_the_same_rows(cold: Cold) -> None:
    start = datetime.combine(cold.day(2), datetime.min.time(), UTC)
    lines = []
    for number, metadata in enumerate(METADATA):
        one = event(number, start + timedelta(hours=number), metadata="?")
        if number % 2:
            one |= {"user_id": None, "entity_id": None}
        text = metadata if isinstance(metadata, str) else json.dumps(metadata)
        lines.append(json.dumps(one).replace('"?"', text).encode())
    cold.running.send(*lines)
    cold.running.drain()
    sent = cold.running.statements.execute(
        "select id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata::text "
        "from activity_logs order by id"
    ).fetchall()
    assert len(sent) == len(METADATA)
    cold.archive()
    root = cold.running.store.url
    register(root)

    def rows_of(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        return sorted(tuple(_plain(row[name]) for name in FIELDS) for row in rows)

    def duckdb_rows() -> list[dict[str, Any]]:
        with open_duckdb(root) as archive:
            return _dicts(archive.execute("select * from activity_logs"))

    readers: dict[str, Callable[[], list[dict[str, Any]]]] = {
        "duckdb": duckdb_rows,
        "pyarrow": lambda: dataset(root).to_table().to_pylist(),
        "pandas": lambda: dataset(root).to_table().to_pandas().to_dict("records"),
        "pandas alone": lambda: pd.read_parquet(dataset(root).files[0]).to_dict("records"),
        "polars": lambda: scan(root).collect().to_dicts(),
        "polars over the dataset": lambda: pl.scan_pyarrow_dataset(dataset(root)).collect().to_dicts(),
        "duckdb over the dataset": lambda: _over(dataset(root)),
        "pyiceberg": lambda: open_table(root).scan().to_arrow().to_pylist(),
    }
    for name, read in readers.items():
        assert rows_of(read()) == sent, name


def _over(found: Any) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.register("found", found)
        return _dicts(connection.execute("select * from found"))


def _dicts(answer: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in answer.description or ()]
    return [dict(zip(names, row, strict=True)) for row in answer.fetchall()]


def _plain(value: Any) -> Any:
    """Undo what libraries make of a UUID and of what is absent."""
    if value is None or value is pd.NaT or (isinstance(value, float) and isnan(value)):
        return None
    if isinstance(value, bytes):
        return UUID(bytes=value)
    if isinstance(value, pd.Timestamp):
        return value.to_pydatetime()
    return value


def parquet_files(root: Path) -> dict[str, tuple[int, int, str]]:
    return {
        str(path.relative_to(root)): (
            path.stat().st_ino,
            path.stat().st_mtime_ns,
            hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in root.rglob("*.parquet")
    }


def test_the_iceberg_table_follows_the_archive(cold: Cold, capsys: pytest.CaptureFixture[str]) -> None:
    root = Path(cold.running.store.root)
    documents = root / "iceberg" / "activity_logs" / "metadata"

    def check(version: int, ids: list[UUID], *, is_new: bool = True) -> None:
        before = parquet_files(root)
        assert run(["archive", "catalogue", "--root", str(root), "--json"]) == 0
        done = json.loads(capsys.readouterr().out)
        assert (done["version"], done["is_new"], done["rows"]) == (version, is_new, len(ids))
        assert parquet_files(root) == before
        table = open_table(root)
        assert sorted(row.as_py() for row in table.scan(selected_fields=("id",)).to_arrow()["id"]) == sorted(
            ids
        )
        planned = {task.file.file_path for task in table.scan().plan_files()}
        assert planned == {f"file://{path}" for path in dataset(root).files}
        assert len(table.metadata.snapshots) == bool(ids)
        assert len(list(documents.iterdir())) == (4 if ids else 2)

    check(1, [])
    days = [cold.day(3), cold.day(2), cold.day(1)]
    ids = [one for day in days for one in cold.send_hot(day)]
    cold.archive()
    check(2, ids)
    uuid = open_table(root).metadata.table_uuid
    ids += cold.send(days[0], 3)
    cold.archive()
    check(3, ids)
    check(3, ids, is_new=False)
    assert len(list(compact(cold.running.statements, cold.running.store, min_files=2))) == 1
    check(4, ids)
    assert open_table(root).metadata.table_uuid == uuid
    got = open_table(root).scan().to_arrow().select(FILE_SCHEMA.names).sort_by("timestamp")
    assert got.cast(FILE_SCHEMA) == dataset(root).to_table().sort_by("timestamp")
    midnight = f"{days[2]}T00:00:00+00:00"
    assert open_table(root).scan(row_filter=f"timestamp >= '{midnight}'").to_arrow().num_rows == 10


def test_a_table_skips_files_by_their_timestamps(filled: Filled, tmp_path: Path) -> None:
    root = tmp_path / "copy"
    shutil.copytree(filled.root, root)
    register(root)
    later = open_table(root).scan(row_filter=f"timestamp >= '{filled.alone[1]}T00:00:00+00:00'")
    assert len(list(later.plan_files())) == 2
    assert later.to_arrow().num_rows == 10


def test_a_registration_that_was_cut_short_is_made_again(cold: Cold) -> None:
    root = Path(cold.running.store.root)
    ids = cold.send_hot(cold.day(1))
    cold.archive()
    register(root)
    documents = root / "iceberg" / "activity_logs" / "metadata"
    for name in ("v2-files.avro", "v2-list.avro", "v2.metadata.json"):
        (documents / name).write_bytes(b"torn")
    assert open_table(root).scan().to_arrow().num_rows == len(ids)
    cold.send_hot(cold.day(2))
    cold.archive()
    assert register(root).version == 2
    assert open_table(root).scan().to_arrow().num_rows == 2 * len(ids)


def test_a_catalogue_needs_its_extra(cold: Cold) -> None:
    code = (
        "import sys, json, io, contextlib; sys.modules['pyiceberg'] = None\n"
        "from activity_pipeline.cli.main import run\n"
        "with contextlib.redirect_stderr(io.StringIO()) as said:\n"
        "    code = run(['archive', 'catalogue', '--root', sys.argv[1]])\n"
        "print(json.dumps([code, said.getvalue()]))"
    )
    expected = "error: this needs Iceberg: pip install 'activity-pipeline[iceberg]'\n"
    assert elsewhere(code, cold.running.store.url) == [1, expected]


def test_the_archive_imports_no_more_than_before() -> None:
    code = (
        "import sys, json, activity_pipeline.archive as archive\n"
        "module = 'activity_pipeline.archive.analyst.dataset'\n"
        "print(json.dumps([module in sys.modules, archive.dataset.__name__, module in sys.modules]))"
    )
    assert elsewhere(code) == [False, "dataset", True]
