"""Audit rows and events of the same changes are compared, and what one of them lacks is found."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from activity_pipeline.bench.legacy.service import OutboxTeller
from activity_pipeline.bench.legacy.workload import run_workload
from activity_pipeline.errors import LegacyError
from activity_pipeline.hot.legacy import read_parity
from activity_pipeline.legacy.compare import Spans, compare, read_scope, settled_until
from activity_pipeline.legacy.inventory.overrides import CompareRules
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.legacy.comparing import HOUR, RULES, SAID, begin, compared, kinds
from activity_pipeline_tests.integration.legacy.conftest import WINDOW, Legacy


def test_what_one_of_them_lacks_is_found(legacy: Legacy, running: Running) -> None:
    begin(legacy)
    application = legacy.application
    run_workload(legacy.dsn, operations=30, clients=1, teller=OutboxTeller())
    # A bypass, an event of what never was, another value, a change told twice as one of many rows.
    application.execute("insert into app.teams (name) values ('raw')")
    application.execute("update app.audit_logs set record_id = '0' where table_name = 'teams'")
    line = {
        "id": "0198c0de-0000-7000-8000-000000000001",
        "timestamp": datetime.now(UTC).isoformat(),
        "source": "shop",
        "action": "roles.insert",
        "entity_type": "roles",
        "entity_id": "7",
        "metadata": {"table": "roles", "operation": "insert", "txid": 7, "new": {"id": 7, "name": "ghost"}},
    }
    with application.transaction():
        row = application.execute(
            "insert into app.projects (name, budget) values ('1', 5), ('2', 5) returning txid_current(), id"
        ).fetchall()
        many = line | {
            "id": "0198c0de-0000-7000-8000-000000000002",
            "action": "projects.insert",
            "entity_type": "projects",
            "entity_id": None,
            "metadata": {"table": "app.projects", "operation": "INSERT", "txid": row[0][0], "rows": 2},
        }
        wrong = application.execute(
            "update app.projects set budget = 7 where id = %s returning txid_current(), id", [row[0][1]]
        ).fetchall()
        other = line | {
            "id": "0198c0de-0000-7000-8000-000000000003",
            "action": "projects.update",
            "entity_type": "projects",
            "entity_id": str(wrong[0][1]),
            "metadata": {
                "table": "app.projects",
                "operation": "UPDATE",
                "txid": wrong[0][0],
                "old": {"budget": "5.0"},
                "new": {"budget": "8.00"},
            },
        }
        for each in (line, many, other):
            application.execute(
                "insert into activity_outbox (line) values (%s)", [msgspec.json.encode(each).decode()]
            )
    report = compared(legacy, running)
    assert kinds(report) == (1, 1, 1), report.samples
    found = {pair.kind: pair for pair in report.samples}
    assert (found["missing"].table_name, found["missing"].key) == ("app.teams", "0")
    assert (found["extra"].table_name, found["extra"].operation) == ("app.roles", "INSERT")
    assert found["different"].columns == ("budget", "updated_at")
    assert report.summarised == 2
    ignoring = msgspec.structs.replace(RULES, ignored_columns=("app.*.updated_at", "app.projects.budget"))
    again = compared(legacy, running, msgspec.structs.replace(SAID, compare=ignoring))
    assert kinds(again) == (1, 1, 0)
    assert read_parity(running.statements, *WINDOW)["app.projects"].is_full, "compared anew, kept anew"


def test_what_may_be_on_its_way_is_left_for_later(legacy: Legacy, running: Running) -> None:
    begin(legacy)
    application = legacy.application
    spans = Spans(window=timedelta(minutes=15), grace=timedelta())
    now = datetime.now(UTC)
    with legacy.ours.transaction():
        legacy.ours.execute("insert into app.teams (name) values ('open')")
        assert settled_until(application, 0.0, spans) < datetime.now(UTC) - timedelta()
        (begun,) = legacy.ours.execute("select now()").fetchone() or (None,)
        assert settled_until(application, 0.0, spans) == begun
    assert settled_until(application, 90.0, spans) < now
    scope = read_scope(application, SAID)
    report = compare(application, running.statements, scope, now - HOUR, now, spans=spans)
    assert report.judged_until <= now
    assert report.judged_until.minute % 15 == 0
    assert report.totals["missing"] == 0


def test_changes_without_triggers_are_not_held_against_the_events(legacy: Legacy, running: Running) -> None:
    begin(legacy)
    legacy.cut(legacy.ready(), 1, 2)
    run_workload(legacy.dsn, operations=30, clients=1, teller=OutboxTeller())
    report = compared(legacy, running, spans=Spans(skew=timedelta(seconds=1)))
    assert kinds(report) == (0, 0, 0), report.samples
    assert {name for _, name in report.counts} >= {"app.stock", "app.payments"}
    assert "app.users" not in {name for _, name in report.counts}


def test_a_table_that_is_not_understood_is_named(legacy: Legacy) -> None:
    legacy.application.execute("alter table app.audit_logs rename transaction_id to t")
    with pytest.raises(LegacyError, match="no column that is known to hold the transaction"):
        read_scope(legacy.application, SAID)
    said = msgspec.structs.replace(SAID, compare=CompareRules(columns={"transaction": "t"}))
    assert read_scope(legacy.application, said).audits[0].transaction == "t"
    with pytest.raises(LegacyError, match="a window is a part of a day"):
        Spans(window=timedelta(minutes=7))
