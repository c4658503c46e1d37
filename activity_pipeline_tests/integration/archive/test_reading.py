"""Analysts see the archive through views, on any file system; the audit sees where it is not what it says."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from activity_pipeline.archive import ArchiveStore, open_duckdb
from activity_pipeline.archive.analyst.views import publish_views, views_sql
from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.archive.chain.index import newest_entries
from activity_pipeline.archive.chain.publish import Published
from activity_pipeline.archive.files.known import KnownEvents, known_ids
from activity_pipeline.hot.chain import note_exported
from activity_pipeline.hot.content import Held
from activity_pipeline.hot.days import freeze
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold

VIEWS = ("activity_logs", "activity_metrics_daily", "activity_anomalies_daily")


@pytest.fixture(params=["folder", "memory"])
def anywhere(running: Running, request: pytest.FixtureRequest) -> Cold:
    """The same pipeline with its archive in a folder and in a file system that is none."""
    if request.param == "folder":
        return Cold(running)
    url = f"memory://archive-{uuid.uuid4().hex}/of it's own"
    return Cold(replace(running, store=ArchiveStore(url)))


def test_any_file_system_is_an_archive(anywhere: Cold) -> None:
    day = anywhere.day(1)
    ids = anywhere.send_hot(day) + anywhere.send(anywhere.day(5))
    anywhere.archive()
    ids += anywhere.send(day, 3)
    anywhere.sent = 0
    anywhere.send(day, 1)
    anywhere.archive()
    anywhere.check(ids)
    running = anywhere.running
    refresh_metrics(running.statements, running.bulk, running.store, list(running.states()))
    publish_views(running.store)
    assert disagreements(running.statements, running.store) == []
    assert len(newest_entries(running.store, [day])[day].files) == 2
    with open_duckdb(running.store.url) as archive:
        assert archive.execute("select sum(count) from activity_metrics_daily").fetchone() == (len(ids),)


def test_an_empty_archive_has_its_views(anywhere: Cold) -> None:
    with open_duckdb(anywhere.running.store.url) as archive:
        for view in VIEWS:
            assert archive.execute(f"select count(*) from {view}").fetchone() == (0,)


def test_the_views_have_the_same_columns_with_and_without_rows(cold: Cold) -> None:
    def columns() -> dict[str, list[tuple[str, str]]]:
        with open_duckdb(cold.running.store.url) as archive:
            return {
                view: [row[:2] for row in archive.execute(f"describe {view}").fetchall()] for view in VIEWS
            }

    empty = columns()
    cold.send_hot(cold.day(1))
    cold.archive()
    running = cold.running
    refresh_metrics(running.statements, running.bulk, running.store, [cold.day(1)])
    assert columns() == empty


def test_the_published_script_works_in_any_duckdb(cold: Cold) -> None:
    cold.send_hot(cold.day(1), 25)
    cold.archive()
    publish_views(cold.running.store)
    script = (Path(cold.running.store.root) / "views.sql").read_text()
    assert script == views_sql(cold.running.store)
    with duckdb.connect(":memory:") as connection:
        connection.execute(script)
        assert connection.execute("select count(*) from activity_logs").fetchone() == (25,)


def test_a_root_with_quotes_and_spaces(running: Running, tmp_path: Path) -> None:
    cold = Cold(replace(running, store=ArchiveStore(str(tmp_path / "it's an [archive] *?"))))
    ids = cold.send_hot(cold.day(1))
    cold.archive()
    ids += cold.send(cold.day(1))
    cold.archive()
    cold.check(ids)


def test_files_that_no_manifest_lists_are_not_read(cold: Cold) -> None:
    day = cold.day(1)
    ids = cold.send_hot(day)
    cold.archive()
    (path,) = Path(cold.running.store.root).glob("events/*/*.parquet")
    path.with_name("part-2.parquet").write_bytes(path.read_bytes())
    cold.check(ids)
    ids += cold.send(day)
    cold.archive()
    cold.check(ids)


def test_known_events(cold: Cold) -> None:
    ids = cold.send_hot(cold.day(1), 5)
    cold.archive()
    (path,) = Path(cold.running.store.root).glob("events/*/*.parquet")
    held = pq.ParquetFile(path).read(["id", "timestamp"])
    other_ids = [uuid.uuid4().bytes for _ in ids]
    strange = held.set_column(0, held.schema.field("id"), pa.array(other_ids, pa.uuid()))
    events = pa.concat_tables([strange, held, strange])
    expected = [False] * 5 + [True] * 5 + [False] * 5
    known = KnownEvents(cold.running.store)
    manifests = {cold.day(1).isoformat(): cold.chain()[0].name}
    assert known(events, manifests).to_pylist() == expected
    elsewhere = {cold.day(2).isoformat(): "manifests/none.json"}
    assert known(events, elsewhere).to_pylist() == [False] * 15
    assert known(events.slice(0, 0), manifests).to_pylist() == []
    path.write_bytes(b"torn")
    assert known(events, manifests).to_pylist() == [False] * 15


def test_known_events_are_found_by_a_hash_join(cold: Cold) -> None:
    from activity_pipeline.archive.files import known

    cold.send_hot(cold.day(1))
    cold.archive()
    (path,) = map(str, Path(cold.running.store.root).glob("events/*/*.parquet"))
    query = (Path(known.__file__).parent / "known.sql").read_text()
    with duckdb.connect() as connection:
        connection.execute("create table candidates (n integer, timestamp timestamptz, id uuid)")
        plan = str(connection.execute(f"explain {query}", {"files": [path]}).fetchall())
        assert "SEMI" in plan
        assert "Hash Join" in plan or "HASH_JOIN" in plan
        events = pa.table(
            {"id": pa.array([], pa.uuid()), "timestamp": pa.array([], pa.timestamp("us", tz="UTC"))}
        )
        assert len(known_ids(cold.running.store, connection, [], events)) == 0


def planted(cold: Cold, what: str) -> tuple[date, str]:
    """Plant a disagreement; return the day and the word that it should be found by."""
    day, store, statements = cold.day(1), cold.running.store, cold.running.statements
    root = Path(store.root)
    (path,) = root.glob("events/*/*.parquet")
    if what == "file is gone":
        path.unlink()
        return day, "size of"
    if what == "file has grown":
        with path.open("ab") as stream:
            stream.write(b"x")
        return day, "size of"
    if what == "rows in Postgres":
        statements.execute("update activity_days set archived_rows = 11 where day = %s", [day])
        return day, "rows"
    if what == "generation in Postgres":
        statements.execute("update activity_days set generation = 2 where day = %s", [day])
        return day, "generation"
    if what == "day that Postgres lost":
        statements.execute("delete from activity_manifests")
        statements.execute("delete from activity_days")
        return day, "generation"
    if what == "manifest is gone":
        (root / "manifests" / f"{day}.1.json").unlink()
        return day, "generation"
    raise AssertionError(what)


@pytest.mark.parametrize(
    "what",
    [
        "file is gone",
        "file has grown",
        "rows in Postgres",
        "generation in Postgres",
        "day that Postgres lost",
        "manifest is gone",
    ],
)
def test_the_audit_finds_what_was_planted(cold: Cold, what: str) -> None:
    cold.send_hot(cold.day(1))
    cold.send(cold.day(-1))
    cold.archive()
    assert disagreements(cold.running.statements, cold.running.store) == []
    day, word = planted(cold, what)
    found = disagreements(cold.running.statements, cold.running.store)
    assert {row["day"] for row in found} == {day}
    assert any(row["what"].startswith(word) for row in found)


def test_the_audit_is_quiet_at_every_step(cold: Cold) -> None:
    running, day = cold.running, cold.day(1)
    cold.send_hot(day)
    cold.archive()
    cold.send(day)
    running_audit = (running.statements, running.store)
    assert disagreements(*running_audit) == []
    freeze(running.statements, [day])
    assert disagreements(*running_audit) == []
    cold.archive()
    assert disagreements(*running_audit) == []


def test_marking_twice_changes_nothing(cold: Cold) -> None:
    cold.send_hot(cold.day(1))
    (archived,) = cold.archive()
    (manifest,) = cold.chain()
    held = {archived.day: Held(archived.entry.content, "")}
    note_exported(cold.running.statements, [Published(manifest, archived.sha256).record], held)
    assert cold.running.states()[archived.day] == "archived"
    raw = (Path(cold.running.store.root) / archived.manifest).read_bytes()
    assert json.loads(raw)["days"][0]["generation"] == 1
    cold.chain()
