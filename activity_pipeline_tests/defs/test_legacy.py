"""Parity and coverage as assets, where an application is named."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from activity_pipeline.bench.legacy.service import OutboxTeller
from activity_pipeline.bench.legacy.workload import run_workload
from activity_pipeline.cli.main import run
from activity_pipeline.defs.legacy.assets import (
    as_planned,
    full_parity,
    legacy_coverage,
    legacy_inventory,
    legacy_parity,
    no_bypass,
    triggers_judged,
)
from activity_pipeline.defs.legacy.history import legacy_history, rows_have_days
from activity_pipeline.defs.resources import Pipeline
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.legacy import EVERYTHING, read_parity
from activity_pipeline.legacy.mapping import propose_mapping, write_mapping
from activity_pipeline.legacy.mapping.source import reading
from activity_pipeline.legacy.plan import write_plan
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.legacy.comparing import begin
from activity_pipeline_tests.integration.legacy.conftest import (
    WINDOW,
    Legacy,
    legacy,
    legacy_dsn,
)

__all__ = ["legacy", "legacy_dsn"]
NAMES = """
import json
from activity_pipeline.definitions import activity_pipeline
found = activity_pipeline()
print(json.dumps([sorted(s.key.to_user_string() for s in found.resolve_all_asset_specs()),
                  [s.name for s in found.schedules]]))
"""


def test_an_application_is_compared_and_watched(
    legacy: Legacy, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin(legacy)
    run_workload(legacy.dsn, operations=5, clients=1, teller=OutboxTeller())
    running.drain(outbox_dsn=legacy.dsn)
    monkeypatch.setenv("ACTIVITY_LEGACY_DSN", legacy.dsn)
    settings = running.settings
    pipeline = Pipeline(
        postgres_dsn=settings.postgres_dsn, redis_url=settings.redis_url, archive_url=settings.archive_url
    )
    result = dg.materialize(
        [legacy_parity, legacy_coverage, full_parity, no_bypass], resources={"pipeline": pipeline}
    )
    assert result.success
    assert all(check.passed for check in result.get_asset_check_evaluations())
    assert EVERYTHING in read_parity(running.statements, *WINDOW), "yesterday was compared, at least"
    running.statements.execute(
        "update activity_legacy_parity set missing = 3 where table_name = %s", [EVERYTHING]
    )
    running.statements.execute(
        "insert into activity_legacy_parity values (current_date, 'app.users', 1, 3, 0, 0, now())"
        " on conflict (day, table_name) do update set missing = 3"
    )
    wrong = full_parity(pipeline)
    assert isinstance(wrong, dg.AssetCheckResult)
    assert not wrong.passed
    assert wrong.severity is dg.AssetCheckSeverity.WARN


def test_triggers_are_listed_and_those_that_nobody_judged_are_named(
    legacy: Legacy, running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("ACTIVITY_LEGACY_DSN", legacy.dsn)
    settings = running.settings
    pipeline = Pipeline(
        postgres_dsn=settings.postgres_dsn, redis_url=settings.redis_url, archive_url=settings.archive_url
    )
    result = dg.materialize([legacy_inventory, triggers_judged], resources={"pipeline": pipeline})
    (made,) = result.asset_materializations_for_node("legacy__inventory")
    count = made.metadata["dagster/row_count"].value
    assert isinstance(count, int)
    assert count >= 108
    assert made.metadata["triggers"].value.records[0].data["verdict"] == "audit"  # type: ignore[union-attr]
    (evaluation,) = result.get_asset_check_evaluations()
    open_ones = evaluation.metadata["triggers"].value.records  # type: ignore[union-attr]
    legacy.application.execute(
        "create function app.riddle() returns trigger language plpgsql as "
        "$$ begin execute 'insert into app.' || 'audit_logs default values'; return new; end $$"
    )
    legacy.application.execute(
        "create trigger riddle after insert on app.users for each row execute function app.riddle()"
    )
    found = triggers_judged(pipeline)
    assert isinstance(found, dg.AssetCheckResult)
    assert not found.passed
    named = [record.data["trigger"] for record in found.metadata["triggers"].value.records]  # type: ignore[union-attr]
    assert len(named) == len(open_ones) + 1
    assert "riddle" in named


def test_triggers_that_the_plan_does_not_know_are_named(
    legacy: Legacy,
    running: Running,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = legacy.plan()
    write_plan(plan, tmp_path / "plan")
    monkeypatch.setenv("ACTIVITY_LEGACY_DSN", legacy.dsn)
    monkeypatch.setenv("ACTIVITY_LEGACY_PLAN", str(tmp_path / "plan"))
    monkeypatch.setenv("ACTIVITY_LEGACY_OVERRIDES", str(tmp_path / "overrides.toml"))
    (tmp_path / "overrides.toml").write_text('[functions]\n"app.history_row" = "audit"\n')
    settings = running.settings
    pipeline = Pipeline(
        postgres_dsn=settings.postgres_dsn, redis_url=settings.redis_url, archive_url=settings.archive_url
    )
    found = as_planned(pipeline)
    assert isinstance(found, dg.AssetCheckResult)
    assert found.passed
    first, second, third = (table.triggers[0].trigger for table in plan.phase(1).tables[:3])
    for statement in (
        f"drop trigger {first.name} on {first.relation}",
        f"alter table {second.relation} disable trigger {second.name}",
        "create table app.vouchers (id bigint primary key)",
        third.definition.replace(third.name, "vouchers_audit", 1).replace(third.relation, "app.vouchers", 1),
    ):
        legacy.application.execute(statement)
    found = as_planned(pipeline)
    assert isinstance(found, dg.AssetCheckResult)
    assert not found.passed
    named = {name: found.metadata[name].value for name in ("new", "changed", "gone")}
    assert named == {"new": ["app.vouchers.vouchers_audit"], "changed": [second.key], "gone": [first.key]}
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    capsys.readouterr()
    assert run(["legacy", "status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["drift"] == named


def test_they_are_there_where_an_application_is_named() -> None:
    environment = {**os.environ, "ACTIVITY_LEGACY_DSN": "postgresql://nowhere/app"}
    command = [sys.executable, "-W", "ignore", "-c", NAMES]
    said = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assets, schedules = json.loads(said.stdout)
    assert {"legacy/inventory", "legacy/parity", "legacy/coverage"} <= set(assets)
    assert "hourly_legacy" in schedules


def test_history_is_imported_by_partition(
    legacy: Legacy, running: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run_workload(legacy.dsn, operations=5, clients=1)
    first, second = today() - 41 * ONE_DAY, today() - 40 * ONE_DAY
    legacy.application.execute(
        "update app.audit_logs set created_at = %s::date + id * interval '1 s' - (id %% 2) * interval '1 d'",
        [second],
    )
    with reading(legacy.dsn) as source:
        mapping = write_mapping(propose_mapping(source, "app.audit_logs"))
    (tmp_path / "mapping.toml").write_text(mapping)
    settings = running.settings
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("ACTIVITY_LEGACY_DSN", legacy.dsn)
    monkeypatch.setenv("ACTIVITY_LEGACY_MAPPING", str(tmp_path / "mapping.toml"))
    pipeline = Pipeline(
        postgres_dsn=settings.postgres_dsn, redis_url=settings.redis_url, archive_url=settings.archive_url
    )
    with dg.DagsterInstance.ephemeral() as instance:

        def backfill(last: date) -> dg.ExecuteInProcessResult:
            return dg.materialize(
                [legacy_history],
                resources={"pipeline": pipeline},
                instance=instance,
                tags={
                    "dagster/asset_partition_range_start": first.isoformat(),
                    "dagster/asset_partition_range_end": last.isoformat(),
                },
                raise_on_error=False,
            )

        for was_done in (False, True):
            result = backfill(second)
            assert result.success
            made = result.asset_materializations_for_node("legacy__history")
            assert {each.partition for each in made} == {first.isoformat(), second.isoformat()}
            for each in made:
                figures = {
                    name: each.metadata[name].value for name in ("rows", "archived_events", "was_done")
                }
                assert figures["rows"] == figures["archived_events"]
                assert figures["rows"]
                assert each.metadata["was_done"].value is was_done
        assert running.ledger().residual == 0
        assert not backfill(today()).success
    assert_check(rows_have_days(pipeline), passed=True)
    legacy.application.execute(
        "update app.audit_logs set created_at = 'infinity' where id = (select min(id) from app.audit_logs)"
    )
    assert_check(rows_have_days(pipeline), passed=False)


def assert_check(found: object, *, passed: bool) -> None:
    assert isinstance(found, dg.AssetCheckResult)
    assert found.passed is passed
    assert found.metadata["rows"].value == (0 if passed else 1)
