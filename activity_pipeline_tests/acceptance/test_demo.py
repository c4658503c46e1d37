"""The demo as a newcomer runs it: a process of its own, embedded servers, Dagster's jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from activity_pipeline.hot.connection import connect
from activity_pipeline.local import LocalStack
from activity_pipeline.local.shop import simulate

STEPS = {"servers", "produce", "drain", "archive", "retire", "compact", "verify", "metrics", "anomalies"}


def _demo(folder: Path, *arguments: str) -> dict[str, Any]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ACTIVITY_")}
    # Thousands of partitions are no part of what this proves, and each takes Dagster its time.
    environment["ACTIVITY_FIRST_DAY"] = "2016-01-01"
    done = subprocess.run(
        [sys.executable, "-m", "activity_pipeline", "demo", "--json", *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _closes(result: dict[str, Any], events: int) -> None:
    assert (result["produced"], result["inserted"], result["duplicate"]) == (events, events, 0)
    assert (result["dead_lettered"], result["erased"], result["residual"]) == (0, 0, 0)
    assert result["hot"] + result["late"] + result["archived"] == events
    assert (result["verified_rows"], result["faults"]) == (result["archived"], 0)
    assert result["seconds"].keys() >= STEPS


def test_the_simulated_shop_goes_the_whole_way(tmp_path: Path) -> None:
    result = _demo(tmp_path, "--days", "50", "--events", "60000")
    _closes(result, 60_000)
    assert result["archived_days"] == 20
    assert result["hot_days"] in {29, 30}, "today has no event yet in the first minutes of a day"
    # The other two fall on the smallest series, and on some days of the week too few events tell them.
    assert {row["kind"] for row in result["anomalies"]} >= {"drop", "silent_source"}
    assert list(tmp_path.iterdir()) == [], "nothing is left behind without --keep"


@pytest.fixture
def two_years_old_file(tmp_path: Path) -> Path:
    file = tmp_path / "shop.ndjson"
    until = datetime.now(UTC) - timedelta(days=731)
    batches = simulate(days=45, events=5000, seed=1, until=until)
    file.write_bytes(b"".join(line.rstrip(b"\n") + b"\n" for lines in batches for line in lines))
    return file


@pytest.mark.slow
def test_a_rebased_file_is_counted_as_duckdb_does_and_the_second_time_not_at_all(
    two_years_old_file: Path, tmp_path: Path
) -> None:
    before = datetime.now(UTC)
    result = _demo(tmp_path, "--input", str(two_years_old_file), "--rebase", "--keep")
    _closes(result, 5000)
    with LocalStack(tmp_path / ".activity") as stack, connect(stack.postgres_dsn) as postgres:
        ours = postgres.execute(
            "select date, source, action, status, count from activity_metrics_daily order by 1, 2, 3, 4"
        ).fetchall()
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        connection.execute(
            "create table events as "
            "select timestamp::timestamptz as instant, source, action, status from read_json($1)",
            [str(two_years_old_file)],
        )
        weeks = connection.execute(
            "select floor(epoch($1::timestamptz - max(instant)) / (7 * 86400))::int from events", [before]
        ).fetchone()
        assert weeks is not None
        theirs = connection.execute(
            "select (instant + to_weeks($1))::date, source, action, status, count(*) from events "
            "group by all order by 1, 2, 3, 4",
            weeks,
        ).fetchall()
    assert ours == theirs

    again = _demo(tmp_path, "--input", str(two_years_old_file), "--rebase", "--keep")
    assert (again["produced"], again["inserted"], again["duplicate"]) == (5000, 0, 5000)
    assert (again["hot"], again["archived"]) == (result["hot"], result["archived"])
    assert (again["late"], again["residual"]) == (0, 0)
