"""Real events the whole way, without Dagster: what is counted equals DuckDB reading the file."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from activity_pipeline.archive import archive_days, open_duckdb
from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.events.days import hot_since, today
from activity_pipeline.hot.days import due_days, list_days
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline.producer import ActivityLogger
from activity_pipeline.producer.importing import import_file
from activity_pipeline_tests.conftest import Running


def _import(running: Running, file: Path) -> int:
    with ActivityLogger(
        running.settings.redis_url, source="test", spool_dir=running.settings.spool_path
    ) as logger:
        report = import_file(file, logger)
        assert logger.flush(60.0)
    return report.lines


@pytest.mark.parametrize(
    ("name", "events"),
    [
        ("cloudtrail_attack", 3_003),
        pytest.param("bpic2012_loan", 262_200, marks=pytest.mark.slow),
        pytest.param("git_events_terraform", 157_683, marks=pytest.mark.slow),
    ],
)
def test_every_event_arrives_and_is_counted_as_duckdb_counts_it(
    running: Running, real_data: Path, name: str, events: int
) -> None:
    file = real_data / f"{name}.ndjson.gz"
    assert _import(running, file) == events
    report = running.drain()
    assert (report.received, sum(report.inserted.values()), report.dead_lettered) == (events, events, 0)

    due = due_days(running.statements, hot_since=hot_since(today(), running.settings.hot_days))
    archive_days(running.statements, running.bulk, running.store, due)
    days = [day.day for day in list_days(running.statements)]
    refresh_metrics(running.statements, running.bulk, running.store, days)
    publish_views(running.store)

    ledger = running.ledger()
    assert (ledger.residual, ledger.late, ledger.hot + ledger.archived) == (0, 0, events)
    assert disagreements(running.statements, running.store) == []
    ours = running.statements.execute(
        "select date, source, action, status, count, users, entities "
        "from activity_metrics_daily order by 1, 2, 3, 4"
    ).fetchall()
    with duckdb.connect() as connection, open_duckdb(running.settings.archive_root) as cold:
        connection.execute("set timezone = 'UTC'")
        theirs = connection.execute(
            "select timestamp::timestamptz::date, source, action, status, count(*), count(distinct user_id), "
            "count(distinct (entity_type, entity_id)) "
            "from read_json($1, format = 'newline_delimited', maximum_object_size = 100000000) "
            "group by all order by 1, 2, 3, 4",
            [str(file)],
        ).fetchall()
        assert cold.sql("select count(*), count(distinct id) from activity_logs").fetchall() == [
            (events, events)
        ]
    assert ours == theirs

    assert _import(running, file) == events
    again = running.drain()
    assert (sum(again.inserted.values()), sum(again.duplicate.values())) == (0, events)
    assert running.ledger().residual == 0
