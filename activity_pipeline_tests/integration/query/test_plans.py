"""Every filter of a question has an index or leaves out partitions, on sealed days and on the open one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import UUID

import pytest
from psycopg import sql

from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.events.filters import Filters, Order
from activity_pipeline.hot import activities
from activity_pipeline.hot.activities import Key, Window
from activity_pipeline.hot.connection import Statements, connect
from activity_pipeline.hot.days import seal, sum_up
from activity_pipeline.hot.plans import Statement, fetch
from activity_pipeline_tests.conftest import Databases, Running
from activity_pipeline_tests.integration.query.conftest import at

OPEN, SEALED, OLDEST = (today() - n * ONE_DAY for n in range(3))
ROWS = 8_000


@pytest.fixture(scope="module")
def full(databases: Databases) -> Iterator[Statements]:
    """Three days of 8,000 events, two of them sealed; nobody changes them."""
    for dsn in databases.lend(databases.take()):
        with connect(dsn) as connection:
            fill(connection)
            yield connection


def fill(connection: Statements) -> None:
    """Make the days."""
    for day in (OPEN, SEALED, OLDEST):
        connection.execute("select activity_create_day(%s)", [day])
        connection.execute(
            "insert into activity_logs_current "
            "(id, timestamp, source, action, entity_type, entity_id, user_id, status, metadata) "
            "select gen_random_uuid(), %s::date::timestamp at time zone 'UTC' + n * interval '1 s', "
            "'s' || n %% 5, 'order.' || n %% 50, 'order', (n %% 4000)::text, "
            "lpad(to_hex(n %% 2000), 32, '0')::uuid, case when n %% 100 = 0 then 'failed' else 'ok' end, "
            "jsonb_build_object('ip', '10.0.0.' || n %% 4000, 'description', 'word' || n %% 4000) "
            "from generate_series(1, %s) n",
            [day, ROWS],
        )
        if day != OPEN:
            connection.execute("select activity_seal_day(%s)", [day])
    connection.execute("analyze")


@dataclass(frozen=True)
class Case:
    """A question and the columns of the index that a sealed day has for it."""

    filters: Filters
    index: str


CASES = {
    "no filter": Case(Filters(), "pkey"),
    "source": Case(Filters(sources=("s1",)), "pkey"),
    "source and action": Case(Filters(sources=("s1",), actions=("order.1",)), "source_action_timestamp"),
    "action": Case(Filters(actions=("order.1",)), "source_action_timestamp"),
    "actions": Case(Filters(actions=("order.1", "none")), "source_action_timestamp"),
    "action prefix": Case(Filters(action_prefix="order"), "pkey"),
    "rare action prefix": Case(Filters(action_prefix="refund"), "source_action_timestamp"),
    "status": Case(Filters(statuses=("failed",)), "status_timestamp"),
    "statuses": Case(Filters(statuses=("failed", "none")), "status_timestamp"),
    "entity": Case(Filters(entity_type="order", entity_id="77"), "entity_type_entity_id"),
    "entity id": Case(Filters(entity_id="77"), "entity_type_entity_id"),
    "user": Case(Filters(users=(UUID(int=77),)), "user_id_timestamp"),
    "users": Case(Filters(users=(UUID(int=77), UUID(int=78))), "user_id_timestamp"),
    "text": Case(Filters(text="word77"), "to_tsvector"),
    "metadata": Case(Filters(metadata={"ip": "10.0.0.77"}), "metadata"),
    "user and source": Case(Filters(users=(UUID(int=77),), sources=("s2",)), "user_id_timestamp"),
}


def explain(connection: Statements, statement: Statement) -> str:
    """Return the plan of a statement, without what was never executed."""
    explained = sql.SQL("explain (analyze, costs off, timing off) {}").format(statement.query)
    rows = fetch(connection, replace(statement, query=explained))
    return "\n".join(line for (line,) in rows if "never executed" not in line)


@pytest.mark.parametrize("name", CASES)
def test_a_sealed_day_is_looked_up_by_an_index(full: Statements, name: str) -> None:
    case = CASES[name]
    window = Window(at(SEALED), at(OPEN))
    is_unordered = name in {"text", "metadata"}
    query = activities.keys_query(
        case.filters, window, 20, ["activity_logs_current"], is_unordered=is_unordered
    )
    plan = explain(full, query)
    assert "Seq Scan" not in plan
    assert f"on activity_logs_current_{SEALED:%Y%m%d}" in plan
    assert case.index in plan or f"{SEALED:%Y%m%d}_pkey" in plan
    for other in (OPEN, OLDEST):
        assert f"activity_logs_current_{other:%Y%m%d}" not in plan
    if name in {"entity", "user", "text", "metadata", "rare action prefix"}:
        assert case.index in plan


@pytest.mark.parametrize("name", ["no filter", "entity", "entity id", "user", "users", "text", "metadata"])
def test_a_plan_that_is_kept_is_one_for_any_value(full: Statements, name: str) -> None:
    case = CASES[name]
    window = Window(at(OLDEST), at(OPEN), is_sealed=True)
    query = activities.keys_query(
        case.filters, window, 20, ["activity_logs_current"], is_unordered=name in {"text", "metadata"}
    )
    assert query.is_kept
    numbers = {name: f"${n}" for n, name in enumerate(query.parameters, 1)}
    values = sql.SQL(", ").join(sql.Literal(value) for value in query.parameters.values())
    full.execute("set plan_cache_mode = force_generic_plan")
    full.execute(sql.SQL("prepare kept as ") + sql.SQL(query.query.as_string(full) % numbers))
    plan = explain(full, Statement(sql.SQL("execute kept({})").format(values), {}))
    full.execute("set plan_cache_mode = auto")
    full.execute("deallocate kept")
    assert "$1" in plan
    # Which days it is about is known when it is run: not the open one.
    assert "Subplans Removed: 1" in plan
    assert f"on activity_logs_current_{OPEN:%Y%m%d}" not in plan
    assert "Seq Scan" not in plan
    assert f"on activity_logs_current_{SEALED:%Y%m%d}" in plan
    assert case.index in plan


@pytest.mark.parametrize("name", ["source", "action", "action prefix", "status", "source and action"])
def test_what_may_be_rare_is_planned_anew(full: Statements, name: str) -> None:
    window = Window(at(OLDEST), at(OPEN), is_sealed=True)
    assert not activities.keys_query(CASES[name].filters, window, 20, activities.TABLES).is_kept


@pytest.mark.parametrize("name", CASES)
def test_plans_that_are_kept_find_the_same(full: Statements, name: str) -> None:
    anew = Window(at(SEALED), at(OPEN))
    filters = CASES[name].filters
    for window in (replace(anew, is_sealed=True), replace(anew, is_sealed=True)):
        found = activities.find_keys(full, filters, window, 20)
        assert sorted(found) == sorted(activities.find_keys(full, filters, anew, 20))
    assert full.execute("show plan_cache_mode").fetchone() == ("auto",)


@pytest.mark.parametrize("name", CASES)
def test_on_an_open_day_no_other_day_is_touched(full: Statements, name: str) -> None:
    window = Window(at(OPEN), at(OPEN + ONE_DAY))
    filters = CASES[name].filters
    for query in (
        activities.keys_query(filters, window, 20, ["activity_logs_current"]),
        activities.scan_query("count", filters, window, 10_000, "activity_logs_current"),
        activities.scan_query("facets", filters, window, 10_000, "activity_logs_current"),
    ):
        plan = explain(full, query)
        assert f"activity_logs_current_{OPEN:%Y%m%d}" in plan
        for other in (SEALED, OLDEST):
            assert f"activity_logs_current_{other:%Y%m%d}" not in plan


def test_a_page_of_what_is_frequent_reads_the_newest_day_alone(full: Statements) -> None:
    window = Window(at(OLDEST), at(OPEN + ONE_DAY))
    plan = explain(full, activities.keys_query(Filters(), window, 20, activities.TABLES))
    assert f"activity_logs_current_{OPEN:%Y%m%d}_pkey" in plan
    assert f"{SEALED:%Y%m%d}" not in plan


@pytest.mark.parametrize("name", ["no filter", "user", "status"])
def test_a_late_page_begins_where_the_one_before_ended(full: Statements, name: str) -> None:
    key = Key(at(OLDEST) + timedelta(seconds=ROWS // 2), UUID(int=0))
    window = Window(at(OLDEST), at(OPEN + ONE_DAY), "newest", key)
    plan = explain(full, activities.keys_query(CASES[name].filters, window, 20, ["activity_logs_current"]))
    assert f"activity_logs_current_{OLDEST:%Y%m%d}" in plan
    assert "Seq Scan" not in plan
    for later in (OPEN, SEALED):
        assert f"activity_logs_current_{later:%Y%m%d}" not in plan


def test_wide_columns_are_looked_up_by_key(full: Statements) -> None:
    window = Window(at(OLDEST), at(OPEN + ONE_DAY))
    keys = [key for key, _ in activities.find_keys(full, Filters(statuses=("failed",)), window, 100)]
    assert len(keys) == 100
    plan = explain(full, activities.rows_query(keys, "activity_logs_current"))
    assert "Seq Scan" not in plan
    assert "_pkey" in plan
    statement = activities.keys_query(Filters(statuses=("failed",)), window, 100, activities.TABLES)
    assert "metadata" not in statement.query.as_string(full)


def test_an_open_day_is_looked_through_where_its_sketch_says_so(running: Running) -> None:
    connection = running.statements
    connection.execute("select activity_create_day(%s)", [OPEN])
    connection.execute(
        "insert into activity_logs_current (id, timestamp, source, action, entity_type, entity_id, user_id) "
        "select gen_random_uuid(), %s::date::timestamp at time zone 'UTC' + n * interval '1 ms', 'shop', "
        "'paid', 'order', (n / 4)::text, lpad(to_hex(n / 4), 32, '0')::uuid from generate_series(1, 60000) n",
        [OPEN],
    )
    assert sum_up(connection) > 0
    assert sum_up(connection) == 0
    connection.execute("analyze activity_logs_current")
    window = Window(at(OPEN), at(OPEN + ONE_DAY))
    for filters in (Filters(users=(UUID(int=77),)), Filters(entity_type="order", entity_id="77")):
        query = activities.keys_query(filters, window, 20, ["activity_logs_current"])
        assert f"{OPEN:%Y%m%d}_sketch" in explain(connection, query)
        assert len(activities.find_keys(connection, filters, window, 20)) == 4
    seal(connection, [OPEN])
    plan = explain(connection, query)
    assert "_sketch" not in plan
    assert "entity_type_entity_id" in plan


@pytest.mark.parametrize("few", [0, 5, 5_000])
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_many_and_few_are_found_alike(
    full: Statements, monkeypatch: pytest.MonkeyPatch, few: int, order: Order
) -> None:
    window = Window(at(OLDEST), at(OPEN + ONE_DAY), order)
    plain = Filters(entity_id="77")
    monkeypatch.setattr(activities, "FEW", few)
    for filters in (Filters(text="word77"), Filters(metadata={"ip": "10.0.0.77"})):
        for limit in (4, 20):
            found = activities.find_keys(full, filters, window, limit)
            assert sorted(found) == sorted(activities.find_keys(full, plain, window, limit))
            assert len(found) == min(limit, 6)
