"""What Dagster is told, in one readable page, and that telling it needs no server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

import activity_pipeline as package
from activity_pipeline.definitions import activity_pipeline
from activity_pipeline.defs.partitions import COMPACTED, DRAINED, RETIRED, VERIFIED
from activity_pipeline.settings import packaged

pytestmark = pytest.mark.filterwarnings("ignore::dagster.BetaWarning")

EXPECTED = Path(__file__).with_name("definitions.txt")
VALIDATE_TIMEOUT_S = 60


def describe(definitions: dg.Definitions) -> str:
    """Write down everything that users, dashboards or other code locations may rely on."""
    lines: list[str] = []
    graph = definitions.resolve_asset_graph()
    for spec in sorted(definitions.resolve_all_asset_specs(), key=lambda spec: spec.key):
        deps = ", ".join(sorted(dep.asset_key.to_user_string() for dep in spec.deps)) or "-"
        node = graph.get(spec.key)
        pools = ", ".join(sorted(node.pools or ()))
        partitions = spec.partitions_def
        lines += [
            f"asset {spec.key.to_user_string()}",
            f"    from        {deps}",
            f"    group       {spec.group_name}",
            f"    kinds       {', '.join(sorted(spec.kinds))}",
            f"    owners      {', '.join(spec.owners)}",
            f"    pool        {pools or '-'}",
            f"    partitions  {_days(partitions) if partitions else '-'}",
            f"    backfill    {_runs(node.backfill_policy)}",
            f"    automation  {spec.automation_condition.get_label() if spec.automation_condition else '-'}",
        ]
    for key in sorted(graph.asset_check_keys):
        blocking = "blocking" if graph.get(key).blocking else "not blocking"
        lines.append(f"check {key.name} of {key.asset_key.to_user_string()}, {blocking}")
    for job in sorted(definitions.resolve_all_job_defs(), key=lambda job: job.name):
        if not job.name.startswith("__"):
            made = ", ".join(sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys))
            checks = ", ".join(sorted(key.name for key in job.asset_layer.asset_graph.asset_check_keys))
            lines.append(f"job {job.name} makes {made}" if made else f"job {job.name} checks {checks}")
    for schedule in definitions.schedules or []:
        assert isinstance(schedule, dg.ScheduleDefinition)
        lines.append(
            f"schedule {schedule.name} starts {schedule.job_name} at {schedule.cron_schedule} UTC,"
            f" {schedule.default_status.value}"
        )
    for sensor in sorted(definitions.sensors or [], key=lambda sensor: sensor.name):
        interval = sensor.minimum_interval_seconds
        lines.append(f"sensor {sensor.name} every {interval} s, {sensor.default_status.value}")
    return "\n".join(lines) + "\n"


def _days(partitions: dg.PartitionsDefinition) -> str:
    assert isinstance(partitions, dg.DailyPartitionsDefinition)
    return f"days since {partitions.start:%Y-%m-%d} {partitions.timezone}, {partitions.end_offset} ahead"


def _runs(policy: dg.BackfillPolicy | None) -> str:
    return f"runs of {policy.max_partitions_per_run} partitions" if policy else "-"


def test_the_definitions_are_these() -> None:
    """After a change that is meant: UPDATE_SNAPSHOTS=1, and read the difference."""
    described = describe(activity_pipeline())
    if os.environ.get("UPDATE_SNAPSHOTS"):
        EXPECTED.write_text(described)
    assert described == EXPECTED.read_text()


SPECS: list[dg.AssetSpec] = sorted(
    activity_pipeline().resolve_all_asset_specs(), key=lambda spec: spec.key.to_user_string()
)


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.key.to_user_string())
def test_every_asset_says_what_it_is(spec: dg.AssetSpec) -> None:
    assert spec.description
    assert spec.owners
    assert spec.kinds
    assert spec.group_name not in (None, "default")
    if spec.key not in (DRAINED, RETIRED, COMPACTED, VERIFIED):  # which are work done, not tables
        schema = spec.metadata["dagster/column_schema"]
        assert isinstance(schema, dg.TableSchema)
        assert schema.columns
        assert spec.metadata["dagster/table_name"]


def test_everything_else_says_what_it_is_too() -> None:
    definitions = activity_pipeline()
    graph = definitions.resolve_asset_graph()
    assert all(graph.get(key).description for key in graph.asset_check_keys)
    for each in [*(definitions.sensors or []), *(definitions.schedules or []), *(definitions.jobs or [])]:
        assert not isinstance(each, dg.JobDefinition | dg.PartitionedConfig)
        assert each.description, each


@pytest.fixture
def bare() -> dict[str, str]:
    """An environment without any setting of ours: no server, no address."""
    return {
        name: value for name, value in os.environ.items() if not name.startswith(("ACTIVITY_", "DAGSTER_"))
    }


def test_dagster_finds_them_valid_in_any_folder(tmp_path: Path, bare: dict[str, str]) -> None:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "dagster", "definitions", "validate"),
            *("--workspace", str(packaged("workspace.yaml"))),
        ],
        cwd=tmp_path,
        env=bare | {"PYTHONPATH": str(Path(package.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=VALIDATE_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_loading_opens_no_connection_and_leaves_the_heavy_parts_for_later(
    tmp_path: Path, bare: dict[str, str]
) -> None:
    program = """
import socket, sys

def refuse(*_):
    raise AssertionError("something was connected to")

socket.socket.connect = refuse
from activity_pipeline.definitions import activity_pipeline
activity_pipeline().resolve_asset_graph()
heavy = {"scipy", "apprise"} & set(sys.modules)
assert not heavy, heavy
assert not [name for name in sys.modules if name.startswith("activity_pipeline.local")]
"""
    subprocess.run(
        [sys.executable, "-W", "error::DeprecationWarning:activity_pipeline", "-c", program],
        cwd=tmp_path,
        env=bare | {"PYTHONPATH": str(Path(package.__file__).parents[1])},
        timeout=VALIDATE_TIMEOUT_S,
        check=True,
    )
    assert not list(tmp_path.iterdir())
