"""`activity-pipeline up` as an operator runs it: real servers, web pages, daemon, sensor and runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.connection import connect
from activity_pipeline.hot.follower import is_followed
from activity_pipeline_tests.waiting import wait_for

UNFINISHED = ("REQUESTED", "CANCELING", "COMPLETING", "FAILING")


@dataclass(frozen=True)
class Up:
    """A running `up`."""

    process: subprocess.Popen[bytes]
    folder: Path
    environment: dict[str, str]
    url: str
    api: str

    @property
    def printed(self) -> str:
        return (self.folder / "up.out").read_text()

    @property
    def dsn(self) -> str:
        match = re.search(r"ACTIVITY_POSTGRES_DSN=(\S+)", self.printed)
        assert match is not None
        return shlex.split(match[1])[0]

    def command(self, *arguments: str) -> str:
        """Run another `activity-pipeline …`, as from another shell."""
        done = subprocess.run(
            [sys.executable, "-m", "activity_pipeline", *arguments],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def query(self, sql: str, *parameters: object) -> Any:
        with connect(self.dsn) as postgres:
            row = postgres.execute(sql, parameters or None).fetchone()
        return row[0] if row else None

    def graphql(self, query: str, **variables: object) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            answer = json.load(reply)
        assert "errors" not in answer, answer["errors"]
        return answer["data"]

    def leftovers(self) -> list[str]:
        """Return the command lines of processes that know this test's folder or port."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                environment = (entry / "environ").read_bytes().decode(errors="replace")
            except OSError:
                continue
            if int(entry.name) != os.getpid() and str(self.folder) in command + environment:
                found.append(command)
        return found


def _start(folder: Path) -> Up:
    with socket.socket() as probe, socket.socket() as other:
        for each in (probe, other):
            each.bind(("127.0.0.1", 0))
        port, api_port = probe.getsockname()[1], other.getsockname()[1]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ACTIVITY_")}
    # A mark that every descendant inherits, and fewer partitions to evaluate than since 2000.
    environment |= {
        "ACTIVITY_TEST_DATA": str(folder),
        "ACTIVITY_FIRST_DAY": (today() - 90 * ONE_DAY).isoformat(),
    }
    with (folder / "up.out").open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "activity_pipeline",
                "up",
                "--port",
                str(port),
                "--api-port",
                str(api_port),
            ],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    up = Up(process, folder, environment, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{api_port}/api/v1")

    def ready() -> bool:
        assert process.poll() is None, up.printed
        return "is up" in up.printed

    try:
        wait_for("up", ready, 120)
    except BaseException:
        process.kill()
        raise
    return up


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    running = _start(tmp_path_factory.mktemp("up"))
    yield running
    running.process.send_signal(signal.SIGINT)
    running.process.wait(60)


def test_an_event_from_another_shell_is_drained_by_a_run_of_the_sensor(
    up: Up, record_property: Callable[[str, object], None]
) -> None:
    event_id = up.command("log", "greeted", "--source", "shell")
    started = time.monotonic()
    wait_for(
        "the event in Postgres",
        lambda: up.query("select count(*) from activity_logs where id = %s", event_id),
        30,
    )
    # The promise is 10 s; a loaded machine gets three times as long before this is called broken.
    record_property("log_to_postgres_s", round(time.monotonic() - started, 1))
    runs = up.graphql("{ runsOrError { ... on Runs { results { jobName tags { key value } } } } }")
    drains = [run for run in runs["runsOrError"]["results"] if run["jobName"] == "drain"]
    assert {"key": "dagster/sensor_name", "value": "queue_backlog"} in drains[0]["tags"]

    def reported() -> Any:
        answer = up.graphql(
            'query { assetOrError(assetKey: {path: ["hot", "events"]}) '
            "{ ... on Asset { assetMaterializations(limit: 5) { partition metadataEntries { label } } } } }"
        )
        return answer["assetOrError"].get("assetMaterializations")

    (materialization, *_) = wait_for("the day reported to Dagster", reported, 30)
    assert materialization["partition"] == datetime.now(UTC).date().isoformat()
    assert "new_rows" in [entry["label"] for entry in materialization["metadataEntries"]]


def test_the_api_takes_events_and_says_what_became_of_them(up: Up) -> None:
    body = json.dumps({"source": "http", "action": "greeted"}).encode()
    request = urllib.request.Request(f"{up.api}/activities", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        (verdict,) = json.load(reply)["verdicts"]
    wait_for(
        "the event in Postgres",
        lambda: up.query("select count(*) from activity_logs where id = %s", verdict["id"]),
        30,
    )
    with urllib.request.urlopen(f"{up.api}/ledger", timeout=30) as reply:
        assert json.load(reply)["residual"] == 0
    assert up.query("select rolname from pg_roles where rolname = 'activity_reader'") == "activity_reader"


@pytest.fixture
def follower(up: Up) -> Iterator[None]:
    """A `drain --follow` in another shell, which ends well."""
    process = subprocess.Popen(
        [sys.executable, "-m", "activity_pipeline", "drain", "--follow"],
        cwd=up.folder,
        env={**up.environment, "ACTIVITY_DAGSTER_URL": up.url, "ACTIVITY_REPORT_INTERVAL_S": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )

    def at_work() -> bool:
        with connect(up.dsn) as postgres:
            return is_followed(postgres)

    try:
        wait_for("the follower", at_work, 30)
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()


@pytest.mark.slow
def test_what_a_follower_stores_is_seen_in_dagster_and_its_metrics_follow(up: Up, follower: None) -> None:
    def drains() -> list[str]:
        runs = up.graphql("{ runsOrError { ... on Runs { results { jobName runId } } } }")["runsOrError"]
        return [run["runId"] for run in runs["results"] if run["jobName"] == "drain"]

    before, day = drains(), today() - 20 * ONE_DAY
    events = up.folder / "followed.ndjson"
    event = {"timestamp": f"{day}T12:00:00Z", "source": "followed", "action": "seen"}
    events.write_text(json.dumps(event) + "\n")
    up.command("import", str(events))

    def reported() -> Any:
        answer = up.graphql(
            'query { assetOrError(assetKey: {path: ["hot", "events"]}) '
            "{ ... on Asset { assetMaterializations(limit: 20) { partition runId } } } }"
        )["assetOrError"]
        return [each for each in answer["assetMaterializations"] if each["partition"] == str(day)]

    assert wait_for("the report", reported, 30)[0]["runId"] == "", "no run has stored it"
    counted = "select count from activity_metrics_daily where source = 'followed'"
    assert wait_for("the metrics", lambda: up.query(counted), 90) == 1
    assert drains() == before


@pytest.mark.slow
@pytest.mark.parametrize("back", [[40], [45, 46, 60]], ids=["a run of one day", "a backfill"])
def test_cold_days_are_exported_checked_and_retired_by_themselves(up: Up, back: list[int]) -> None:
    days = [today() - number * ONE_DAY for number in back]
    events = up.folder / "cold.ndjson"
    lines = [{"timestamp": f"{day}T12:00:00Z", "source": "cold", "action": "seen"} for day in days]
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    up.command("import", str(events))
    archived = "select count(*) from activity_days where day = any (%s) and state = 'archived'"
    wait_for("the days retired", lambda: up.query(archived, days) == len(days), 300)
    passed = up.graphql(
        'query { assetChecksOrError: assetNodeOrError(assetKey: {path: ["archive", "events"]}) '
        "{ ... on AssetNode { assetChecksOrError { ... on AssetChecks "
        "{ checks { name executionForLatestMaterialization { status } } } } } } }"
    )["assetChecksOrError"]["assetChecksOrError"]["checks"]
    said = {check["name"]: check["executionForLatestMaterialization"] for check in passed}
    assert {name: said[name]["status"] for name in ("content_equals", "chain_intact")} == {
        "content_equals": "SUCCEEDED",
        "chain_intact": "SUCCEEDED",
    }


@pytest.mark.slow
def test_a_backfill_of_ten_days_over_graphql(up: Up) -> None:
    days = [today() - number * ONE_DAY for number in range(10, 0, -1)]
    events = up.folder / "ten_days.ndjson"
    lines = [
        {
            "timestamp": f"{day}T12:00:00Z",
            "source": "backfill",
            "action": "seen",
            "metadata": {"day": str(day)},
        }
        for day in days
    ]
    events.write_text("".join(json.dumps(line) + "\n" for line in lines))
    up.command("import", str(events))
    wait_for(
        "the ten days in Postgres",
        lambda: up.query("select count(*) from activity_logs where source = 'backfill'") == 10,
        40,
    )
    launched = up.graphql(
        "mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) "
        "{ __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }",
        params={
            "assetSelection": [{"path": ["metrics", name]} for name in ("daily", "hourly", "users")],
            "partitionNames": [day.isoformat() for day in days],
        },
    )["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def ended() -> str | None:
        answer = up.graphql(
            "query($id: String!) { partitionBackfillOrError(backfillId: $id) "
            "{ ... on PartitionBackfill { status } } }",
            id=launched["backfillId"],
        )
        status: str = answer["partitionBackfillOrError"]["status"]
        return None if status in UNFINISHED else status

    assert wait_for("the backfill", ended, 150) == "COMPLETED_SUCCESS"
    counted = up.query("select sum(count) from activity_metrics_daily where source = 'backfill'")
    assert counted == 10


def test_ctrl_c_leaves_no_process(up: Up) -> None:
    assert up.leftovers()
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(60) == 0
    assert up.printed.rstrip().endswith("stopped")
    assert up.leftovers() == []


@pytest.mark.slow
@pytest.mark.faults
def test_a_killed_up_leaves_no_process(tmp_path: Path) -> None:
    killed = _start(tmp_path)
    killed.process.kill()
    killed.process.wait()
    wait_for("the end of all processes", lambda: not killed.leftovers(), 60)
