"""Metrics are what DuckDB counts over the input, wherever the events live and whatever moves meanwhile."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_pipeline.archive import archive_days, export_days, retire_days
from activity_pipeline.events.days import ONE_DAY, hot_since, today
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.connection import connect, connect_bulk
from activity_pipeline.hot.results import ResultTable, read_table, stale_days
from activity_pipeline.metrics import refresh, refresh_metrics
from activity_pipeline.metrics.counting import SCHEMAS, Metric, count
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.lines import event, line

COUNTED: dict[Metric, str] = {
    "daily": """
select cast(timestamp as date) as date, source, action, status, count(*) as count,
    count(distinct user_id) as users,
    count(distinct (entity_type, entity_id)) filter (where entity_id is not null) as entities,
    min(timestamp) as first_at, max(timestamp) as last_at
from events group by all order by all
""",
    "hourly": """
select date_trunc('hour', timestamp) as hour, source, action, status, count(*) as count
from events group by all order by all
""",
    "users": """
select cast(timestamp as date) as date, cast(user_id as uuid) as user_id, count(*) as events,
    count(*) filter (status = 'failed') as failures, count(distinct source || '/' || action) as actions,
    min(hour(timestamp)) as first_hour, max(hour(timestamp)) as last_hour
from events where user_id is not null group by all order by all
""",
}
TABLES: dict[Metric, ResultTable] = {
    "daily": "activity_metrics_daily",
    "hourly": "activity_metrics_hourly",
    "users": "activity_users_daily",
}


def bare(table: pa.Table, metric: Metric) -> list[dict[str, Any]]:
    """Return rows without what they were counted from."""
    rows: list[dict[str, Any]] = table.cast(SCHEMAS[metric]).drop(["generation", "revision"]).to_pylist()
    return rows


def counted(events: list[dict[str, Any]], metric: Metric = "daily") -> list[dict[str, Any]]:
    """Count the input as an analyst would."""
    columns = ["timestamp", "source", "action", "status", "user_id", "entity_type", "entity_id"]
    rows = [
        [datetime.fromisoformat(one["timestamp"]), *(one[name] for name in columns[1:])] for one in events
    ]
    types = [pa.timestamp("us", tz="UTC"), *[pa.string()] * 6]
    table = pa.table({name: pa.array([row[n] for row in rows], types[n]) for n, name in enumerate(columns)})
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute("set arrow_lossless_conversion = true")
        connection.register("events", table)
        found = connection.sql(COUNTED[metric]).to_arrow_table()
    schema = pa.schema([SCHEMAS[metric].field(name) for name in found.column_names])
    rows_counted: list[dict[str, Any]] = found.cast(schema).to_pylist()
    return rows_counted


class Sent:
    """Events sent to a pipeline."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.events: list[dict[str, Any]] = []

    def send(self, day: date, count: int, **fields: Any) -> None:
        start = datetime.combine(day, datetime.min.time(), UTC)
        first = len(self.events)
        times = [start + timedelta(minutes=7 * n) for n in range(count)]
        self.events += [event(first + n, at, **fields) for n, at in enumerate(times)]
        self.running.send(*(line(first + n, at, **fields) for n, at in enumerate(times)), sequence=first)
        self.running.drain()

    def refresh(self, days: list[date] | None = None) -> list[dict[str, Any]]:
        """Refresh and return the whole table."""
        running = self.running
        wanted = list(running.states()) if days is None else days
        report = refresh_metrics(running.statements, running.bulk, running.store, wanted)
        rows = self.rows("daily")
        assert sum(report.events.values()) <= sum(row["count"] for row in rows)
        return rows

    def rows(self, metric: Metric) -> list[dict[str, Any]]:
        """Return a whole table."""
        return bare(read_table(self.running.bulk, TABLES[metric], date(1, 1, 1), date(9999, 12, 31)), metric)

    def check(self) -> None:
        """Check that each table, and its files, say what an analyst counts."""
        for metric, table in TABLES.items():
            expected = counted(self.events, metric)
            assert self.rows(metric) == expected
            files = sorted((Path(self.running.store.root) / "results" / table).iterdir())
            assert bare(pa.concat_tables(map(pq.read_table, files)), metric) == expected


@pytest.fixture
def sent(running: Running) -> Iterator[Sent]:
    yield Sent(running)


def days_back(*back: int) -> list[date]:
    return [today() - n * ONE_DAY for n in back]


def archive(running: Running, days: list[date]) -> None:
    archive_days(running.statements, running.bulk, running.store, days)


def test_hot_late_archived_and_mixed_days(sent: Sent) -> None:
    hot_day, late_day, cold_day, mixed_day = days_back(0, 100, 101, 102)
    for day in (hot_day, late_day, cold_day, mixed_day):
        sent.send(day, 40)
        sent.send(day, 9, entity_type=None, entity_id=None, user_id=None)
    archive(sent.running, [cold_day, mixed_day])
    sent.send(mixed_day, 25)
    sent.refresh()
    sent.check()
    assert len(stale_days(sent.running.statements, "metrics")) == 0


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 10**6))
def test_any_history_counts_the_same(sent: Sent, seed: int) -> None:
    chance = random.Random(seed)
    running = sent.running
    days = [hot_since(today(), 30) - ONE_DAY * n for n in range(-2, 3)]
    for _ in range(8):
        act = chance.choice([*["send"] * 3, "freeze", "export", "retire", "archive", "refresh", "seal"])
        some = chance.sample(days, chance.randint(1, 3))
        if act == "send":
            sent.send(chance.choice(days), chance.randint(1, 30))
        elif act == "freeze":
            hot.freeze(running.statements, some)
        elif act == "export":
            list(export_days(running.statements, running.bulk, running.store, some))
        elif act == "retire":
            retire_days(running.statements, running.store, days)
        elif act == "archive":
            archive(running, some)
        elif act == "seal":
            hot.seal(running.statements, some)
        else:
            sent.refresh()
    sent.refresh(stale_days(running.statements, "metrics"))
    sent.check()
    assert running.ledger().residual == 0


def test_stale_days_are_those_that_changed(sent: Sent) -> None:
    first, second = days_back(1, 0)
    sent.send(first, 5)
    sent.send(second, 5)
    statements = sent.running.statements
    assert stale_days(statements, "metrics") == [first, second]
    sent.refresh([first])
    assert stale_days(statements, "metrics") == [second]
    sent.refresh([second])
    assert stale_days(statements, "metrics") == []
    sent.send(first, 1)
    assert stale_days(statements, "metrics") == [first]
    sent.running.send(line(5, datetime.combine(second, datetime.min.time(), UTC)), sequence=99)
    sent.running.drain()
    assert stale_days(statements, "metrics") == [first], "a duplicate changes nothing"
    sent.refresh(stale_days(statements, "metrics"))
    assert stale_days(statements, "metrics") == []


def test_archiving_a_day_does_not_make_it_stale(sent: Sent) -> None:
    (day,) = days_back(40)
    sent.send(day, 5)
    before = sent.refresh()
    archive(sent.running, [day])
    assert stale_days(sent.running.statements, "metrics") == []
    assert sent.refresh([day]) == before


def test_duplicates_that_the_merge_finds_make_the_day_stale(sent: Sent) -> None:
    (day,) = days_back(40)
    sent.send(day, 5)
    archive(sent.running, [day])
    manifests = Path(sent.running.store.root) / "manifests"
    manifests.rename(manifests.with_name("away"))
    start = datetime.combine(day, datetime.min.time(), UTC)
    sent.running.send(*(line(n, start + timedelta(minutes=7 * n)) for n in range(5)))
    sent.running.drain()
    manifests.with_name("away").rename(manifests)
    assert sum(row["count"] for row in sent.refresh()) == 10
    archive(sent.running, [day])
    assert stale_days(sent.running.statements, "metrics") == [day]
    assert sent.refresh() == counted(sent.events)


def test_the_months_are_the_table(sent: Sent) -> None:
    months = {date(2026, 1, 31), date(2026, 2, 1), date(2026, 2, 28)}
    for day in months:
        sent.send(day, 10)
    table = sent.refresh()
    folder = Path(sent.running.store.root) / "results" / "activity_metrics_daily"
    assert sorted(path.name for path in folder.iterdir()) == ["2026-01.parquet", "2026-02.parquet"]
    assert bare(pq.ParquetDataset(folder).read(), "daily") == table
    sent.check()


def test_a_day_whose_events_are_gone_has_no_metrics(sent: Sent) -> None:
    (day,) = days_back(0)
    sent.send(day, 5)
    assert sent.refresh()
    sent.running.statements.execute("truncate activity_logs_current")
    assert sent.refresh() == []


def test_unknown_days_and_no_days(sent: Sent) -> None:
    running = sent.running
    for days in ([], [date(2001, 1, 1)]):
        report = refresh_metrics(running.statements, running.bulk, running.store, days)
        assert (report.days, report.events) == ([], {})


@pytest.mark.parametrize("move", ["export", "retire", "send and archive"])
@pytest.mark.parametrize("moment", ["before reading", pytest.param("after reading", marks=pytest.mark.slow)])
def test_a_day_that_moves_while_it_is_counted(
    sent: Sent, monkeypatch: pytest.MonkeyPatch, move: str, moment: str
) -> None:
    (day,) = days_back(40)
    running = sent.running
    running.statements.execute("select activity_create_day(%s)", [day])
    sent.send(day, 50)
    if move != "export":
        list(export_days(running.statements, running.bulk, running.store, [day]))
    moved = threading.Event()

    def once() -> None:
        if moved.is_set():
            return
        moved.set()
        with connect(running.settings.postgres_dsn) as statements:
            if move == "export":
                with connect_bulk(running.settings.postgres_dsn) as bulk:
                    list(export_days(statements, bulk, running.store, [day]))
                return
            retire_days(statements, running.store, [day])
            if move == "send and archive":
                sent.send(day, 7)
                with connect_bulk(running.settings.postgres_dsn) as bulk:
                    archive_days(statements, bulk, running.store, [day])

    files = refresh._cold_files

    def cold_files(*arguments: Any) -> list[str]:
        if moment == "before reading":
            once()
        return files(*arguments)

    def count_events(connection: duckdb.DuckDBPyConnection, metric: Metric) -> pa.Table:
        table = count(connection, metric)
        if metric == "users" and moment == "after reading":
            # The reader's own transaction must end first, or the move would wait for it.
            running.bulk.rollback()
            once()
        return table

    monkeypatch.setattr(refresh, "_cold_files", cold_files)
    monkeypatch.setattr(refresh, "count", count_events)
    sent.refresh([day])
    assert moved.is_set()
    monkeypatch.undo()
    assert sent.refresh(stale_days(running.statements, "metrics")) == counted(sent.events)


def test_two_refreshes_at_once_take_turns(sent: Sent) -> None:
    running = sent.running
    days = [date(2026, 1, n) for n in range(1, 7)]
    for day in days:
        sent.send(day, 5)
    errors: list[BaseException] = []

    def run(some: list[date]) -> None:
        try:
            with (
                connect(running.settings.postgres_dsn) as own,
                connect_bulk(running.settings.postgres_dsn) as bulk,
            ):
                for day in some:
                    refresh_metrics(own, bulk, running.store, [day])
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(days[n::3],)) for n in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    month = Path(running.store.root) / "results" / "activity_metrics_daily" / "2026-01.parquet"
    assert bare(pq.ParquetFile(month).read(), "daily") == counted(sent.events)


def test_counting_nothing() -> None:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(
            "create view events as select null::timestamptz as timestamp, null::varchar as source, "
            "null::varchar as action, null::varchar as status, null::uuid as user_id, "
            "null::varchar as entity_type, "
            "null::varchar as entity_id where false"
        )
        for metric, schema in SCHEMAS.items():
            nothing = count(connection, metric)
            assert nothing.equals(schema.empty_table().select(nothing.column_names))


def test_rows_say_what_they_were_counted_from(sent: Sent) -> None:
    (day,) = days_back(40)
    running = sent.running

    def counted_from() -> dict[str, set[tuple[int, int]]]:
        sent.refresh(stale_days(running.statements, "metrics"))
        return {
            table: {
                (row["generation"], row["revision"])
                for row in read_table(running.bulk, table, day, day).to_pylist()
            }
            for table in TABLES.values()
        }

    sent.send(day, 20)
    (before,) = hot.list_days(running.statements, [day])
    assert counted_from() == {table: {(0, before.revision)} for table in TABLES.values()}
    archive(running, [day])
    sent.send(day, 3)
    (after,) = hot.list_days(running.statements, [day])
    assert after.revision > before.revision
    assert counted_from() == {table: {(1, after.revision)} for table in TABLES.values()}
    sent.check()


def test_a_month_without_its_file_is_made_of_the_table(sent: Sent) -> None:
    first, second = date(2026, 1, 5), date(2026, 1, 6)
    sent.send(first, 5)
    sent.send(second, 5)
    sent.refresh()
    for path in (Path(sent.running.store.root) / "results").rglob("*.parquet"):
        path.unlink()
    sent.send(first, 5)
    sent.refresh([first])
    sent.check()
