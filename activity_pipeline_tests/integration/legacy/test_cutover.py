"""Triggers go behind a gate, one table at a time, and come back exactly as they were."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest

from activity_pipeline.errors import LegacyError, ParityError, StoreBusyError
from activity_pipeline.events.days import today
from activity_pipeline.hot.connection import connect
from activity_pipeline.legacy.cutover import (
    Patience,
    Request,
    StoredParity,
    cutover,
    install,
    preview,
    read_dropped,
    rollback,
    uninstall,
)
from activity_pipeline.legacy.plan import Plan, make_plan
from activity_pipeline_tests.integration.legacy.conftest import WINDOW, Legacy

ODD = Path(__file__).with_name("odd.sql")
HASTY = Patience(timedelta(milliseconds=50), attempts=2, pause=timedelta())


def test_all_four_phases_and_all_the_way_back(legacy: Legacy) -> None:
    before, here = legacy.schema(), legacy.triggers()
    plan = legacy.ready()
    assert legacy.cut(plan, 1, 2, 3, 4) == sum(phase.triggers for phase in plan.phases) == 120
    assert len(legacy.triggers()) == 10, "what is no audit, and what is more than an audit"
    assert legacy.cut(plan, 1, 2, 3, 4) == 0
    assert legacy.back(4, 3, 2, 1) == 120
    assert legacy.triggers() == here
    assert legacy.schema() == before
    assert legacy.back(1, 2, 3, 4) == 0
    uninstall(legacy.application)
    assert legacy.application.execute("select to_regnamespace('activity_legacy')").fetchone() == (None,)


def test_one_phase_back_and_again_while_later_ones_are_done(legacy: Legacy) -> None:
    plan = legacy.ready()
    legacy.cut(plan, 1)
    before = legacy.schema()
    legacy.cut(plan, 2)
    done = legacy.schema()
    assert legacy.back(2) == plan.phase(2).triggers
    assert legacy.schema() == before
    legacy.cut(plan, 2, 3)
    legacy.back(3)
    assert legacy.schema() == done


def test_no_trigger_goes_without_parity(legacy: Legacy) -> None:
    plan = legacy.plan()
    install(legacy.application)
    before = legacy.schema()
    source, request = StoredParity(legacy.ours), Request(plan, 1, WINDOW)
    tables = request.tables
    with pytest.raises(ParityError, match="was not compared"):
        list(cutover(legacy.application, request, source))
    legacy.compared(*tables[1:])
    with pytest.raises(ParityError, match="never compared") as never:
        list(cutover(legacy.application, request, source))
    assert set(never.value.faults) == {tables[0]}
    legacy.compared(tables[0], missing=1)
    with pytest.raises(ParityError, match="3 missing, 0 extra, 0 different"):
        list(cutover(legacy.application, request, source))
    assert preview(legacy.application, request, source).shut.keys() == {tables[0]}
    legacy.ours.execute("update activity_legacy_parity set missing = 0, checked_at = day")
    with pytest.raises(ParityError, match="compared before it was over"):
        list(cutover(legacy.application, request, source))
    assert legacy.schema() == before
    legacy.ours.execute("update activity_legacy_parity set checked_at = day + 1")
    assert legacy.cut(plan, 1) == plan.phase(1).triggers


def test_a_table_that_nobody_writes_may_go_where_that_is_allowed(legacy: Legacy) -> None:
    plan = legacy.plan()
    install(legacy.application)
    legacy.compared("app.users")
    request = Request(plan, 1, WINDOW, allow_idle=True)
    assert list(cutover(legacy.application, request, StoredParity(legacy.ours)))


def test_phases_go_in_order_and_not_without_records(legacy: Legacy) -> None:
    plan = legacy.plan()
    with pytest.raises(LegacyError, match="no records"):
        legacy.cut(plan, 1)
    plan = legacy.ready()
    with pytest.raises(LegacyError, match="phase 1 comes first"):
        legacy.cut(plan, 2)
    with pytest.raises(LegacyError, match="there is no phase 5"):
        plan.phase(5)


def test_a_trigger_that_was_changed_after_the_plan_stays(legacy: Legacy) -> None:
    plan = legacy.ready()
    legacy.cut(plan, 1)
    (first, *_) = plan.phase(2).tables
    changed = first.triggers[0].trigger
    legacy.application.execute(f"alter table {changed.relation} disable trigger {changed.name}")
    before = legacy.triggers()
    with pytest.raises(LegacyError, match=f"{changed.key} is not as it was planned"):
        legacy.cut(plan, 2)
    assert legacy.triggers() == before
    assert legacy.cut(legacy.plan(), 1, 2) == plan.phase(2).triggers, "what never fires is redundant"
    legacy.back(2, 1)
    assert legacy.triggers() >= before


def test_a_table_in_use_is_left_as_it_is(legacy: Legacy) -> None:
    plan = legacy.ready()
    busy = plan.phase(1).tables[-1]
    with connect(legacy.dsn) as writer, writer.transaction():
        writer.execute(f"lock table {busy.relation} in row exclusive mode")
        with pytest.raises(StoreBusyError, match=f"{busy.name} was in use at each of 2 attempts"):
            list(cutover(legacy.application, Request(plan, 1, WINDOW), StoredParity(legacy.ours), HASTY))
    assert {each.trigger.key for each in busy.triggers} <= legacy.triggers()
    assert legacy.cut(plan, 1) == len(busy.triggers), "the others are done"
    with connect(legacy.dsn) as writer, writer.transaction():
        writer.execute(f"lock table {busy.relation} in row exclusive mode")
        with pytest.raises(StoreBusyError):
            list(rollback(legacy.application, 1, HASTY))
    assert len(read_dropped(legacy.application)) == plan.phase(1).triggers


def test_what_somebody_else_has_made_in_the_meantime_is_told(legacy: Legacy) -> None:
    plan = legacy.ready()
    legacy.cut(plan, 1)
    other = "create trigger track_users after delete on app.users for each row execute function app.touch()"
    legacy.application.execute(other)
    with pytest.raises(LegacyError, match=r"app\.users\.track_users does not come out as it was"):
        legacy.back(1)
    assert "app.users.track_users" in {each.planned.trigger.key for each in read_dropped(legacy.application)}
    legacy.application.execute("drop trigger track_users on app.users")
    legacy.back(1)
    assert read_dropped(legacy.application) == []


def test_what_somebody_has_made_again_by_hand_is_taken_as_it_is(legacy: Legacy) -> None:
    before = legacy.schema()
    plan = legacy.ready()
    legacy.cut(plan, 1)
    (dropped,) = (
        each.planned.trigger
        for each in read_dropped(legacy.application)
        if each.planned.trigger.key == "app.tasks.track_tasks"
    )
    legacy.application.execute(dropped.definition)
    legacy.back(1)
    assert legacy.schema() == before


def test_records_stay_while_there_is_a_way_back(legacy: Legacy) -> None:
    legacy.cut(legacy.ready(), 1)
    with pytest.raises(LegacyError, match="without their records there is no way back"):
        uninstall(legacy.application)


def test_odd_names_partitions_and_states_come_back(legacy: Legacy) -> None:
    legacy.application.execute(ODD.read_text())
    before = legacy.schema()
    plan = legacy.ready()
    planned = [table for phase in plan.phases for table in phase.tables if table.name.startswith("Odd")]
    assert {each.trigger.name for table in planned for each in table.triggers} == {'Audit % {0} "it"', "off"}
    legacy.cut(plan, 1, 2, 3, 4)
    assert not [key for key in legacy.triggers() if key.startswith("Odd")]
    legacy.back(1, 2, 3, 4)
    assert legacy.schema() == before
    extensions = "select count(*) from pg_depend where classid = 'pg_trigger'::regclass and deptype = 'x'"
    assert legacy.application.execute(extensions).fetchone() == (1,)


def test_a_business_transaction_goes_on_across_a_cutover(legacy: Legacy) -> None:
    plan = legacy.ready()
    with connect(legacy.dsn) as writer:
        with writer.transaction():
            writer.execute("insert into app.jobs (kind) values ('before')")
        legacy.cut(plan, 1, 2, 3)
        with writer.transaction():
            writer.execute("insert into app.jobs (kind) values ('after')")
    audited = legacy.application.execute("select new_values ->> 'kind' from app.audit_logs").fetchall()
    assert audited == [("before",)]


def test_the_records_tell_what_was_done_by_whom_and_why_it_was_allowed(legacy: Legacy) -> None:
    legacy.cut(legacy.ready(), 1)
    legacy.back(1)
    rows = legacy.application.execute(
        "select action, gate ->> 'matched', by_user from activity_legacy.steps"
        " where trigger_name = 'track_orders' order by id"
    ).fetchall()
    user = legacy.application.info.user
    assert rows == [("drop", "30", user), ("restore", None, user)]


def test_a_user_who_does_not_own_the_tables_is_told(legacy: Legacy) -> None:
    plan = legacy.ready()
    legacy.application.execute("drop role if exists nobody_special")
    legacy.application.execute("create role nobody_special")
    legacy.application.execute("grant usage on schema app, activity_legacy to nobody_special")
    legacy.application.execute("grant all on all tables in schema app, activity_legacy to nobody_special")
    legacy.application.execute("set role nobody_special")
    with pytest.raises(LegacyError, match="must be owner of"):
        legacy.cut(plan, 1)
    legacy.application.execute("reset role")
    legacy.application.execute("drop owned by nobody_special")
    legacy.application.execute("drop role nobody_special")


def test_idle_days_are_those_of_the_window_alone(legacy: Legacy) -> None:
    plan = legacy.ready()
    longer = Request(plan, 1, (WINDOW[0] - timedelta(days=1), today()))
    seen = preview(legacy.application, longer, StoredParity(legacy.ours))
    assert seen.shut == {longer.window[0].isoformat(): "was not compared"}
    assert sum(len(names) for names in seen.triggers.values()) == plan.phase(1).triggers


def test_a_plan_is_the_same_for_the_same_catalogue(legacy: Legacy) -> None:
    plan: Plan = legacy.plan()
    inventory = legacy.inventory()
    assert make_plan(inventory, made_at=plan.made_at) == plan
    shuffled = replace(inventory, triggers=list(inventory.triggers))
    assert make_plan(shuffled, made_at=plan.made_at) == plan
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), connect(legacy.dsn) as connection:
        connection.read_only = True
        with connection.transaction():
            connection.execute("create table x ()")
