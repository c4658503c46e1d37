"""The old audit table becomes events: proposed, checked, imported day by day, interrupted, proven."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any
from uuid import UUID

import msgspec
import pytest

from activity_pipeline.archive import ArchiveStore, dataset
from activity_pipeline.bench.legacy.workload import run_workload
from activity_pipeline.errors import LegacyError
from activity_pipeline.events.days import ONE_DAY, span_of, today
from activity_pipeline.events.model import Rules
from activity_pipeline.hot.connection import BulkConnection, connect_bulk, open_hot
from activity_pipeline.hot.imports import list_imports, read_progress
from activity_pipeline.hot.ledger import read_ledger
from activity_pipeline.legacy.history import HistoryDay, import_day, importable_days, run
from activity_pipeline.legacy.mapping import (
    Mapper,
    Mapping,
    check_mapping,
    propose_mapping,
    read_mapping,
    write_mapping,
)
from activity_pipeline.legacy.mapping.source import reading
from activity_pipeline_tests.faults.children import kill, start
from activity_pipeline_tests.integration.legacy.conftest import Legacy

TABLE = "app.audit_logs"
DAYS = (today() - 41 * ONE_DAY, today() - 40 * ONE_DAY)


@dataclass(frozen=True)
class Old:
    """An application with old audit rows on two days, and an archive."""

    legacy: Legacy
    bulk: BulkConnection
    store: ArchiveStore

    def proposed(self) -> Mapping:
        with reading(self.legacy.dsn) as source:
            return propose_mapping(source, TABLE)

    def bring(self, number: int, mapping: Mapping | None = None) -> HistoryDay:
        return import_day(
            self.legacy.dsn,
            mapping or self.proposed(),
            DAYS[number],
            self.legacy.ours,
            self.bulk,
            self.store,
            rules=Rules(),
        )

    def rows(self, number: int) -> list[dict[str, Any]]:
        since, until = span_of([DAYS[number]])
        found = self.legacy.application.execute(
            "select to_jsonb(a) from app.audit_logs as a where created_at >= %s and created_at < %s",
            [since, until],
        )
        return [row for (row,) in found]

    def events(self, number: int) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = dataset(self.store.url, [DAYS[number]]).to_table().to_pylist()
        return found


@pytest.fixture
def old(legacy: Legacy, tmp_path: Path) -> Iterator[Old]:
    run_workload(legacy.dsn, operations=120, clients=2)
    legacy.application.execute(
        "update app.audit_logs set created_at = %s::timestamptz + id * interval '1 s' "
        "- (id %% 2) * interval '1 day'",
        [span_of([DAYS[1]])[0]],
    )
    with connect_bulk(legacy.dsn) as bulk:
        yield Old(legacy, bulk, ArchiveStore(str(tmp_path / "archive")))


def test_a_mapping_is_proposed_and_fits(old: Old, tmp_path: Path) -> None:
    mapping = old.proposed()
    assert mapping.key == ("id",)
    assert mapping.time == "created_at"
    assert mapping.sources("user_id") == ("user_id",)
    assert "{table_name}.{operation}" in mapping.sources("action")
    assert mapping.values["operation"]["INSERT"] == "created"
    assert {"old_values", "new_values", "diff", "context", "transaction_id"} <= set(mapping.metadata)
    file = tmp_path / "mapping.toml"
    file.write_text(write_mapping(mapping))
    assert read_mapping(file) == mapping
    with reading(old.legacy.dsn) as source:
        checked = check_mapping(source, mapping, rows=200, rules=Rules())
        assert checked.rows >= 200
        assert (checked.events, checked.refused) == (checked.rows, {})
        refusing = check_mapping(source, mapping, rows=50, rules=Rules(allowed_sources=("none",)))
    assert refusing.refused == {"not_allowed": refusing.rows}
    assert refusing.refused_samples[0][0] == "not_allowed"


def test_a_wrong_mapping_is_told_what_is_wrong(old: Old) -> None:
    wrongs: list[tuple[dict[str, Any], str]] = [
        ({"ignored": ("nothing",)}, "has no column nothing"),
        ({"metadata": ()}, "column session_id is in no field"),
        ({"fields": {"timestamp": "created_at", "source": "'a'"}}, "field action is missing"),
        (
            {"fields": {"timestamp": "created_at", "source": "'a'", "action": "action", "x": "id"}},
            "no field x",
        ),
        ({"fields": {"timestamp": "{id}", "source": "'a'", "action": "action"}}, "timestamp is one column"),
        ({"table": "audit_logs"}, "table is schema.table"),
        ({"key": ()}, "key names no column"),
        ({"time_zone": "Mars/Olympus"}, "no time zone Mars/Olympus"),
    ]
    with reading(old.legacy.dsn) as source:
        for change, said in wrongs:
            wrong = msgspec.structs.replace(old.proposed(), **change)
            with pytest.raises(LegacyError, match=said):
                check_mapping(source, wrong, rows=1, rules=Rules())


def test_a_file_that_is_no_mapping(tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    for text, said in {"table = \n": "line 1", 'table = "a.b"\nnew = 1': "unknown field `new`"}.items():
        file.write_text(text)
        with pytest.raises(LegacyError, match=said):
            read_mapping(file)
    with pytest.raises(LegacyError, match=r"none\.toml"):
        read_mapping(tmp_path / "none.toml")


def test_days_are_imported_and_proven(old: Old) -> None:
    assert importable_days(old.legacy.dsn, old.proposed()) == DAYS
    carried = old.proposed().metadata
    for number in (0, 1):
        rows = {row["id"]: row for row in old.rows(number)}
        imported = old.bring(number)
        assert (imported.rows, imported.events, imported.archived_events) == (len(rows),) * 3
        assert (imported.dead_lettered, imported.was_done) == (0, False)
        events = old.events(number)
        assert len(events) == len(rows)
        for event in events:
            metadata = json.loads(event["metadata"])
            assert metadata.pop("imported_from") == TABLE
            row = rows.pop(metadata["id"])
            assert event["timestamp"] == datetime.fromisoformat(row["created_at"])
            assert event["user_id"] == (row["user_id"] and UUID(row["user_id"]))
            assert metadata == {name: row[name] for name in carried if row[name] is not None}
        assert rows == {}
    ledger = read_ledger(old.legacy.ours)
    assert ledger.residual == 0, ledger.differences
    assert ledger.missing == 0
    again = old.bring(0)
    assert again == replace(old.bring(0), was_done=True)
    assert list(list_imports(old.legacy.ours, TABLE)) == list(DAYS)


def test_rows_that_make_no_event_are_kept_and_counted(old: Old) -> None:
    old.legacy.application.execute(
        "update app.audit_logs set source = repeat('x', 65) where id in (select id from app.audit_logs "
        "where created_at < %s order by id limit 3)",
        [span_of([DAYS[1]])[0]],
    )
    imported = old.bring(0)
    assert imported.dead_lettered == 3
    assert imported.rows == imported.events + 3 == len(old.rows(0))
    reasons = old.legacy.ours.execute("select reason, producer_id from activity_dead_letters").fetchall()
    assert Counter(reasons) == {("text_length", f"imported:{TABLE}:{DAYS[0]}"): 3}
    assert read_ledger(old.legacy.ours).residual == 0


def test_times_without_a_zone(old: Old) -> None:
    old.legacy.application.execute(
        "do $$ declare v text; begin for v in select viewname from pg_views where schemaname = 'app' loop "
        "execute format('drop view if exists app.%I cascade', v); end loop; end $$"
    )
    old.legacy.application.execute(
        "alter table app.audit_logs alter created_at drop default, alter created_at type timestamp "
        "using created_at at time zone 'Asia/Tokyo'"
    )
    mapping = msgspec.structs.replace(old.proposed(), time_zone="Asia/Tokyo")
    assert old.proposed().time_zone == "UTC"
    assert importable_days(old.legacy.dsn, mapping) == DAYS
    assert old.bring(0, mapping).events == len(old.events(0)) > 0
    assert {event["timestamp"].date() for event in old.events(0)} == {DAYS[0]}


def test_what_cannot_be_imported_is_refused(old: Old, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(LegacyError, match="is not over"):
        import_day(
            old.legacy.dsn, old.proposed(), today(), old.legacy.ours, old.bulk, old.store, rules=Rules()
        )
    monkeypatch.setattr(run, "ROWS_PER_BATCH", 20)
    with pytest.raises(ZeroDivisionError):
        import_day(
            old.legacy.dsn,
            old.proposed(),
            DAYS[0],
            old.legacy.ours,
            old.bulk,
            old.store,
            rules=Rules(),
            tell=lambda _: 1 / 0,  # type: ignore[arg-type]
        )
    assert read_progress(old.legacy.ours, TABLE, DAYS[0]).rows == 20
    with open_hot(old.legacy.dsn) as (statements, bulk), pytest.raises(LegacyError, match="somebody else"):
        import_day(old.legacy.dsn, old.proposed(), DAYS[0], statements, bulk, old.store, rules=Rules())
    old.legacy.application.execute(
        "delete from app.audit_logs where id in (select id from app.audit_logs where created_at < %s "
        "order by created_at limit 2)",
        [span_of([DAYS[1]])[0]],
    )
    with pytest.raises(LegacyError, match="some have come, gone or changed"):
        old.bring(0)


def test_an_archive_that_has_something_else_is_found(old: Old) -> None:
    old.bring(0)
    old.legacy.ours.execute("update activity_imports set fingerprint = fingerprint + 1")
    with pytest.raises(LegacyError, match="with other content"):
        old.bring(0)


def import_slowly(dsn: str, root: str, mapping: Mapping) -> None:
    """Import the days in batches of a few rows; for a process that is killed."""
    run.ROWS_PER_BATCH = 10
    store = ArchiveStore(root)
    with open_hot(dsn) as (statements, bulk):
        for day in DAYS:
            import_day(dsn, mapping, day, statements, bulk, store, rules=Rules())


def kill_often(old: Old, kills: int) -> None:
    chance, mapping = Random(7), old.proposed()
    for _ in range(kills):
        process = start(import_slowly, old.legacy.dsn, old.store.url, mapping)
        # The one wait that is not for something: the moment of death is meant to be any.
        process.join(chance.random() * 1.5)
        kill(process)
        ledger = read_ledger(old.legacy.ours)
        assert ledger.residual == 0, ledger.differences
    for number in (0, 1):
        assert old.bring(number).events == len(old.rows(number))
    ids = Counter(event["id"] for number in (0, 1) for event in old.events(number))
    assert set(ids.values()) == {1}
    ledger = read_ledger(old.legacy.ours)
    assert (ledger.residual, ledger.missing, ledger.redelivered) == (0, 0, 0)


@pytest.mark.faults
def test_an_import_that_is_killed_goes_on(old: Old) -> None:
    kill_often(old, 3)


@pytest.mark.faults
@pytest.mark.slow
def test_an_import_that_is_killed_often_goes_on(old: Old) -> None:
    kill_often(old, 40)


def test_ids_are_the_same_each_time() -> None:
    mapping = Mapping("a.b", ("id",), {"timestamp": "at", "source": "'s'", "action": "x"}, metadata=("m",))
    row = '{"id": 7, "at": "2026-01-02T03:04:05.678901+00:00", "x": "y", "m": {"b": 1e2, "a": null}}'
    first, second = (msgspec.json.decode(Mapper(mapping).line(row)) for _ in range(2))
    assert first == second
    assert UUID(first["id"]).version == 7
    assert UUID(first["id"]).int >> 80 == 1767323045678, "the row's own time"
    assert first["timestamp"] == "2026-01-02T03:04:05.678901Z"
    assert b'"m":{"b": 1e2, "a": null}' in Mapper(mapping).line(row), "as it was, to the letter"
