"""Changes that bypass the service calls are counted, and somebody is told."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from activity_pipeline.alerts.overview import look as look_at_all
from activity_pipeline.alerts.rules import Limits, concerns
from activity_pipeline.hot.coverage import Look, read_bypasses
from activity_pipeline.legacy.cutover import uninstall
from activity_pipeline.legacy.sentinel import count_by_triggers, count_no_longer, look, watched_tables
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.legacy.conftest import Legacy
from activity_pipeline_tests.lines import line
from activity_pipeline_tests.waiting import wait_for

NOW = timedelta(seconds=-60)
"""A grace of less than nothing: what was seen just now is settled at once."""

LOCK_TIMEOUT = timedelta(seconds=2)
numbers = itertools.count()


def log(running: Running, table: str, *, rows: int | None = None) -> None:
    """An event, as the service call would log it."""
    number = next(numbers)
    metadata = {"table": table} | ({} if rows is None else {"rows": rows})
    running.send(line(number, datetime.now(UTC), entity_type="thing", metadata=metadata), sequence=number)
    running.drain()


def found(running: Running) -> list[tuple[str, str, int]]:
    since = datetime.now(UTC) - timedelta(days=1)
    return [(each.table_name, each.method, each.rows) for each in read_bypasses(running.statements, since)]


@pytest.fixture
def watched(legacy: Legacy, running: Running) -> Callable[[], dict[str, Look]]:
    """A look at an application whose first two phases are done."""
    legacy.cut(legacy.ready(), 1, 2)

    def seen() -> dict[str, Look]:
        return {each.table_name: each for each in look(legacy.application, running.statements, grace=NOW)}

    return seen


def test_counting_triggers_find_exactly_what_bypasses(
    legacy: Legacy, running: Running, watched: Callable[[], dict[str, Look]]
) -> None:
    application = legacy.application
    tables = watched_tables(application)
    assert "app.users" in tables
    assert "app.payments" not in tables, "it has lost redundant triggers alone"
    before = legacy.triggers()
    count_by_triggers(application, tables, lock_timeout=LOCK_TIMEOUT)
    count_by_triggers(application, tables, lock_timeout=LOCK_TIMEOUT)
    assert legacy.triggers() == before, "what counts is no trigger of the application"
    assert watched()["app.users"].changes == 0
    application.execute(
        "insert into app.users (email, name) select n::text, '' from generate_series(1, 3) as n"
    )
    log(running, "app.users", rows=3)
    with pytest.raises(ZeroDivisionError), application.transaction():
        application.execute("update app.users set name = 'rolled back'")
        raise ZeroDivisionError
    application.execute("update app.users set name = 'nobody' where false")
    assert watched()["app.users"].changes == 3
    assert found(running) == []
    application.execute("update app.users set name = 'raw' where email in ('1', '2')")
    application.execute("delete from app.users where email = '3'")
    application.execute("insert into app.teams (name) values ('raw')")
    log(running, "app.teams")
    seen = watched()
    assert (seen["app.users"].changes, seen["app.teams"].changes) == (6, 1)
    assert found(running) == [("app.users", "triggers", 3)]
    log(running, "app.users")
    assert watched()["app.users"].changes == 6
    assert found(running) == [("app.users", "triggers", 3)], "what was once missing stays told for a day"
    assert read_bypasses(running.statements, datetime.now(UTC) + timedelta(hours=1)) == []


def test_somebody_is_told(legacy: Legacy, running: Running, watched: Callable[[], dict[str, Look]]) -> None:
    count_by_triggers(legacy.application, watched_tables(legacy.application), lock_timeout=LOCK_TIMEOUT)
    watched()
    legacy.application.execute("insert into app.teams (name) values ('raw')")
    watched()
    limits = Limits(queue_s=300.0, severity="critical")
    (concern,) = concerns(look_at_all(running.settings, running.statements), limits)
    assert concern.key == "legacy/bypass/app.teams"
    assert concern.alert.severity == "critical"
    assert concern.alert.body.startswith("1 rows of the last day")


def test_statistics_count_without_any_trigger(
    legacy: Legacy, running: Running, watched: Callable[[], dict[str, Look]]
) -> None:
    watched()
    legacy.application.execute("insert into app.teams (name) values ('raw')")
    # Postgres adds a session's figures up once it is idle, after a moment.
    wait_for("the statistics", lambda: watched()["app.teams"].changes)
    assert found(running) == [("app.teams", "statistics", 1)]


def test_what_counts_goes_with_the_way_back(
    legacy: Legacy, running: Running, watched: Callable[[], dict[str, Look]]
) -> None:
    application = legacy.application
    legacy.back(2)
    before = legacy.schema()
    legacy.cut(legacy.plan(), 2)
    tables = watched_tables(application)
    count_by_triggers(application, tables, lock_timeout=LOCK_TIMEOUT)
    legacy.back(2)
    assert legacy.schema() == before
    legacy.cut(legacy.plan(), 2)
    done = legacy.schema()
    count_by_triggers(application, tables, lock_timeout=LOCK_TIMEOUT)
    assert legacy.schema() != done
    count_no_longer(application, tables, lock_timeout=LOCK_TIMEOUT)
    assert legacy.schema() == done
    legacy.back(2, 1)
    uninstall(application)
    assert look(application, running.statements) == []
