"""What is written in an application's transaction arrives once, whatever it is and wherever it lies."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import adbc_driver_manager
import psycopg
import pytest

from activity_pipeline.archive.files.known import KnownEvents
from activity_pipeline.errors import StoreError
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot import outbox
from activity_pipeline.hot.batch import OUTBOX
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.ledger import read_producers
from activity_pipeline.hot.migrations import migrate, migrate_outbox
from activity_pipeline.ingest import DrainConfig, DrainReport, drain
from activity_pipeline.producer.outbox import log_in_transaction
from activity_pipeline.settings import Settings
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.lines import BROKEN_LINES, line, lines
from activity_pipeline_tests.lines import RULES as STRICT_RULES

NOON = datetime.combine(today(), datetime.min.time(), UTC)
NAN = b'{"source":"s","action":"a","metadata":{"a":NaN}}'


@pytest.fixture(params=["beside the events", "elsewhere"])
def place(request: pytest.FixtureRequest, running: Running) -> str:
    """The DSN of the database with the outbox."""
    if request.param == "elsewhere":
        return str(request.getfixturevalue("application"))
    return running.settings.postgres_dsn


def write(dsn: str, *lines: bytes) -> None:
    with connect(dsn) as connection, connection.cursor() as cursor:
        cursor.executemany(
            "insert into activity_outbox (line) values (convert_from(%s, 'UTF8'))", [(one,) for one in lines]
        )


def left(dsn: str) -> int:
    with connect(dsn) as connection:
        return outbox.read_waiting(connection, limit=10**6).rows


def test_committed_events_arrive_and_the_outbox_is_empty(running: Running, place: str) -> None:
    ids = set()
    with psycopg.connect(place) as connection:
        for number in range(20):
            with connection.transaction(force_rollback=number % 4 == 3):
                event_id = log_in_transaction(connection, "paid", source="shop", entity_id=number)
            if number % 4 != 3:
                ids.add(event_id)
    report = running.drain(outbox_dsn=place)
    assert (report.received, report.from_outbox, report.batches) == (15, 15, 1)
    assert report.inserted == {NOON.date(): 15}
    assert {str(event_id) for event_id in running.ids()} == ids
    assert left(place) == 0
    (producer,) = read_producers(running.statements)
    assert (producer.producer_id, producer.issued, producer.missing) == (OUTBOX, 15, 0)
    assert running.ledger().residual == 0


def test_queue_and_outboxes_are_drained_by_one_call(running: Running, application: str) -> None:
    own = running.settings.postgres_dsn
    write(own, *lines(0, 10, NOON))
    write(application, *lines(10, 10, NOON))
    running.send(*lines(20, 10, NOON), *lines(0, 5, NOON))
    report = running.drain(outbox_dsn=f"{own}, {application}")
    assert (report.received, report.from_outbox, report.outboxes_away) == (35, 20, [])
    assert (sum(report.inserted.values()), sum(report.duplicate.values())) == (30, 5)
    ledger = running.ledger()
    assert (ledger.residual, ledger.issued, ledger.missing) == (0, 35, 0)


def test_batches_bound_by_rows_and_by_bytes(
    running: Running, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(place, *lines(0, 100, NOON))
    assert running.drain(outbox_dsn=place, batch_rows=30).batches == 4
    monkeypatch.setattr("activity_pipeline.ingest.outbox.MAX_BATCH_BYTES", 1)
    write(place, *lines(100, 5, NOON))
    assert running.drain(outbox_dsn=place).batches == 5
    assert running.count("activity_logs_current") == 105
    assert running.ledger().residual == 0


def test_garbage_becomes_dead_letters(running: Running, place: str) -> None:
    broken = [
        case for cases in BROKEN_LINES.values() for case in cases if b"\0" not in case and _is_text(case)
    ]
    write(place, *lines(0, 5, NOON), *broken, NAN, b"", b" \n", line(5, NOON) + b"\n{\n" + line(6, NOON))
    report = running.drain(outbox_dsn=place, allowed_statuses=",".join(STRICT_RULES.allowed_statuses))
    assert running.count("activity_logs_current") == 7
    assert report.dead_lettered == len(broken) + 2
    kept = running.statements.execute("select line, shard, producer_id from activity_dead_letters").fetchall()
    assert sorted(bytes(bytes_) for bytes_, _, _ in kept) == sorted([*broken, NAN, b"{"])
    assert {(shard, producer) for _, shard, producer in kept} == {(-1, OUTBOX)}
    assert left(place) == 0
    assert running.ledger().residual == 0


def _is_text(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_an_event_without_id_and_timestamp_gets_those_of_its_row(running: Running, place: str) -> None:
    with connect(place) as connection:
        connection.execute(
            "insert into activity_outbox (created_at, line) values "
            """(%s, '{"source":"sql","action":"a"}'), ('infinity', '{"source":"sql","action":"b"}'),"""
            """('-infinity', '{"source":"sql","action":"c"}')""",
            [NOON],
        )
    report = running.drain(outbox_dsn=place)
    assert (report.received, report.dead_lettered) == (3, 2)
    row = running.statements.execute("select timestamp, action from activity_logs").fetchone()
    assert row == (NOON, "a")
    assert running.ledger().residual == 0


def test_late_events_and_duplicates(running: Running, place: str) -> None:
    write(place, line(1, NOON), line(2, NOON - 60 * ONE_DAY))
    running.send(line(1, NOON))
    running.drain(outbox_dsn=place)
    write(place, line(1, NOON), line(2, NOON - 60 * ONE_DAY), line(3, NOON))
    report = running.drain(outbox_dsn=place)
    assert (sum(report.inserted.values()), sum(report.duplicate.values())) == (1, 2)
    assert (running.count("activity_logs_current"), running.count("activity_logs_late")) == (2, 1)
    assert left(place) == 0
    assert running.ledger().residual == 0


def test_no_row_is_passed_over_for_being_committed_late(running: Running, place: str) -> None:
    with psycopg.connect(place) as slow:
        log_in_transaction(slow, "slow", source="shop")
        with psycopg.connect(place) as quick:
            log_in_transaction(quick, "quick", source="shop")
        assert running.drain(outbox_dsn=place).received == 1
        slow.commit()
    assert running.drain(outbox_dsn=place).received == 1
    rows = running.statements.execute("select action from activity_logs order by 1").fetchall()
    assert rows == [("quick",), ("slow",)]


def test_rows_that_someone_holds_are_left_and_nothing_waits_for_them(running: Running, place: str) -> None:
    write(place, *lines(0, 10, NOON))
    with psycopg.connect(place) as holder:
        holder.execute("select from activity_outbox order by id limit 4 for update")
        assert running.drain(outbox_dsn=place).received == 6
    assert running.drain(outbox_dsn=place).received == 4


def test_drains_that_race_take_different_rows(running: Running, place: str) -> None:
    # Every tenth is refused by COPY, so that batches are rolled back and claimed again.
    write(place, *(NAN if n % 10 == 0 else line(n, NOON) for n in range(400)))
    reports: list[DrainReport] = []
    errors: list[BaseException] = []

    def run() -> None:
        settings = running.settings
        config = DrainConfig(
            settings.redis_url, settings.postgres_dsn, outbox_dsns=(place,), batch_rows=30, idle_s=0.3
        )
        try:
            reports.append(drain(config, KnownEvents(running.store)))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert sum(report.received for report in reports) == 400
    assert not any(report.duplicate for report in reports)
    assert left(place) == 0
    ledger = running.ledger()
    assert (ledger.residual, ledger.inserted, ledger.dead_lettered) == (0, 360, 40)


def test_a_transaction_that_fails_leaves_the_rows(running: Running, place: str) -> None:
    write(place, *lines(0, 10, NOON))
    running.statements.execute("alter table activity_producers add constraint small check (issued < 5)")
    with pytest.raises(StoreError, match="violates check constraint"):
        running.drain(outbox_dsn=place)
    assert (left(place), running.count("activity_logs")) == (10, 0)
    running.statements.execute("alter table activity_producers drop constraint small")
    assert running.drain(outbox_dsn=place).received == 10
    assert running.ledger().residual == 0


def test_a_connection_lost_before_the_deletion_brings_duplicates_and_no_second_dead_letter(
    running: Running, application: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(application, *lines(0, 10, NOON), b"{", NAN)

    def lose(_: outbox.OutboxClaim) -> None:
        raise adbc_driver_manager.OperationalError("the server went away", status_code=10)

    with monkeypatch.context() as patch:
        patch.setattr(outbox.OutboxClaim, "delete", lose)
        with pytest.raises(StoreError, match="went away"):
            running.drain(outbox_dsn=application)
    assert (left(application), running.count("activity_logs")) == (12, 10)
    report = running.drain(outbox_dsn=application)
    assert (sum(report.duplicate.values()), report.dead_lettered) == (10, 0)
    assert (left(application), running.count("activity_dead_letters")) == (0, 2)
    ledger = running.ledger()
    assert (ledger.residual, ledger.inserted, ledger.dead_lettered) == (0, 10, 2)


@pytest.mark.parametrize("without", ["server", "table"])
def test_an_application_that_is_away_holds_up_nothing(
    running: Running, empty_database: str, without: str
) -> None:
    away = empty_database if without == "table" else "postgresql://activity@/x?host=/nonexistent"
    running.send(*lines(0, 5, NOON))
    write(running.settings.postgres_dsn, *lines(5, 5, NOON))
    report = running.drain(outbox_dsn=f"{away},{running.settings.postgres_dsn}")
    assert (report.received, report.from_outbox) == (10, 5)
    (said,) = report.outboxes_away
    assert said.startswith("outbox 1: ")
    assert ("migrate --outbox" if without == "table" else "does not answer") in said


def test_a_producer_that_calls_itself_outbox_confuses_nobody(running: Running) -> None:
    write(running.settings.postgres_dsn, *lines(0, 3, NOON))
    running.drain()
    running.send(*lines(3, 3, NOON), producer=OUTBOX, sequence=7)
    running.drain()
    ledger = running.ledger()
    assert (ledger.residual, ledger.issued, ledger.missing) == (0, 6, 0)


def test_the_outbox_alone_becomes_the_whole_schema_and_goes_again(application: str) -> None:
    with connect(application) as connection:
        assert _tables(connection) == ["activity_migrations", "activity_outbox"]
        assert migrate_outbox(connection) == []
        assert "0001_events" in migrate(connection)
        assert len(_tables(connection)) > 5
        migrate(connection, to=0)
        assert _tables(connection) == ["activity_migrations"]


def _tables(connection: Statements) -> list[Any]:
    rows = connection.execute("select tablename from pg_tables where schemaname = 'public' order by 1")
    return [name for (name,) in rows]


def test_waiting_says_how_many_and_how_long(running: Running) -> None:
    assert outbox.read_waiting(running.statements, limit=9) == outbox.Waiting(0, 0.0)
    write(running.settings.postgres_dsn, *lines(0, 20, NOON))
    running.statements.execute("update activity_outbox set created_at = created_at - interval '1 hour'")
    waiting = outbox.read_waiting(running.statements, limit=9)
    assert waiting.rows == 9
    assert timedelta(hours=1) <= timedelta(seconds=waiting.oldest_s) < timedelta(hours=2)


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ("", ()),
        (" postgresql://a/x ", ("postgresql://a/x",)),
        ("postgresql://a,b/x, postgres://c/y,", ("postgresql://a,b/x", "postgres://c/y")),
    ],
)
def test_the_setting_names_several_even_with_several_hosts(setting: str, expected: tuple[str, ...]) -> None:
    assert Settings(outbox_dsn=setting).outbox_dsns == expected
