"""One user of real events, from import to erasure: what is left is what DuckDB reads without him."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from uuid import UUID

import duckdb
import pytest

from activity_pipeline.archive import archive_days, open_duckdb
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.events.days import hot_since, today
from activity_pipeline.events.subject import Subject
from activity_pipeline.hot import days as hot
from activity_pipeline.hot.results import stale_days
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline.producer import ActivityLogger
from activity_pipeline.producer.importing import import_file
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.erasing import (
    SIGNER,
    by_place,
    erased,
    files_with,
    receipts,
    sound,
    would_erase,
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "user", "rows", "days", "mentioned"),
    [
        ("git_events_terraform", UUID("e3ca5966-3072-561f-addb-e5fdfa22418e"), 23_154, 626, 2_715),
        ("bpic2012_loan", UUID("4636c1f1-2167-5788-a0ab-3267818abb5d"), 45_687, 167, 0),
    ],
)
def test_a_user_of_years(
    running: Running, real_data: Path, name: str, user: UUID, rows: int, days: int, mentioned: int
) -> None:
    file = real_data / f"{name}.ndjson.gz"
    with ActivityLogger(
        running.settings.redis_url, source="test", spool_dir=running.settings.spool_path
    ) as logger:
        events = import_file(file, logger).lines
        assert logger.flush(60.0)
    running.drain()
    due = hot.due_days(running.statements, hot_since=hot_since(today(), running.settings.hot_days))
    archive_days(running.statements, running.bulk, running.store, due, SIGNER)
    list(compact(running.statements, running.store, SIGNER))
    refresh_metrics(running.statements, running.bulk, running.store, due)
    assert stale_days(running.statements, "metrics") == []

    expected = Counter({"archive": rows})
    assert by_place(would_erase(running, Subject.user(user))) == expected
    report = erased(running, Subject.user(user), SIGNER)
    assert by_place(report) == expected
    touched = sorted(each.day for each in report.found)
    assert len(touched) == days
    assert stale_days(running.statements, "metrics") == touched
    refresh_metrics(running.statements, running.bulk, running.store, touched)
    sound(running, SIGNER)
    ledger = running.ledger()
    assert (ledger.inserted, ledger.erased, ledger.archived) == (events, rows, events - rows)
    assert files_with(running, user.bytes) == []
    (receipt,) = receipts(running)
    assert sum(each.rows for each in receipt.taken) == rows

    ours = running.statements.execute(
        "select date, sum(count)::bigint from activity_metrics_daily group by date order by date"
    ).fetchall()
    with duckdb.connect() as connection, open_duckdb(running.store.url) as cold:
        connection.execute("set timezone = 'UTC'")
        theirs = connection.execute(
            "select timestamp::timestamptz::date as day, count(*) "
            "from read_json($1, format = 'newline_delimited', maximum_object_size = 100000000) "
            "where user_id is distinct from $2::uuid group by day order by day",
            [str(file), str(user)],
        ).fetchall()
        # As metadata of others he is still there: they are not his events.
        left = "select count(*), count(*) filter (contains(metadata::varchar, $1)) from activity_logs"
        assert cold.execute(left, [str(user)]).fetchall() == [(events - rows, mentioned)]
    assert ours == theirs
