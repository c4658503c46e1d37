"""`anomalies` and what people say of them, on the command line."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from typing import Any

from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.cli.conftest import Run
from activity_pipeline_tests.lines import lines

DAY = today() - ONE_DAY


def _said(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def unusual(running: Running) -> None:
    """Send a month of a source, and a new one on its last day."""
    for back in range(30, 0, -1):
        at = datetime.combine(today() - back * ONE_DAY, datetime.min.time(), UTC)
        running.send(*lines(1000 * back, 3, at), sequence=1000 * (30 - back))
    at = datetime.combine(DAY, datetime.min.time(), UTC)
    new = [line.replace(b'"shop', b'"mail') for line in lines(500_000, 3, at)]
    running.send(*new, sequence=90_000)
    running.drain()


def test_acknowledged_and_muted(running: Running, run: Run) -> None:
    unusual(running)
    found = _said(run("anomalies", "--json"))
    assert {(row["kind"], row["source"], row["date"]) for row in found} == {
        ("new_source", f"mail{number}", str(DAY)) for number in range(3)
    }
    assert all(row["muted"] is row["acknowledged_by"] is None for row in found)

    named = ["--day", str(DAY), "--source", "mail0"]
    assert _said(run("anomalies", "ack", *named, "--by", "me", "--note", "ours", "--json")) == {
        "acknowledged": 1
    }
    (muted,) = _said(
        run("anomalies", "mute", "--source", "mail1", "--for", "2w", "--reason", "test", "--json")
    )
    assert (muted["id"], muted["action"], muted["reason"]) == (1, None, "test")
    for _ in range(2):
        rows = {row["source"]: row for row in _said(run("anomalies", "--json"))}
        assert (rows["mail0"]["acknowledged_by"], rows["mail0"]["note"]) == ("me", "ours")
        assert (rows["mail1"]["muted"], rows["mail2"]["muted"]) == (1, None)
        # Judged anew: what was said stays.
        running.statements.execute("update activity_days set revision = revision + 1 where day = %s", [DAY])
    assert "muted" in run("anomalies").stdout

    assert [mute["id"] for mute in _said(run("anomalies", "mutes", "--json"))] == [1]
    assert _said(run("anomalies", "unmute", "1", "--by", "her", "--json"))[0]["removed_by"] == "her"
    assert _said(run("anomalies", "mutes", "--json")) == []
    assert all(row["muted"] is None for row in _said(run("anomalies", "--json")))


def test_what_is_not_there(run: Run) -> None:
    missing = run("anomalies", "ack", "--day", str(DAY), "--source", "shop")
    assert (missing.returncode, missing.stderr) == (1, f"error: shop has no such anomaly on {DAY}\n")
    assert "mute 7 is not in force" in run("anomalies", "unmute", "7").stderr
    assert run("anomalies", "mute", "--source", "shop").returncode == 2
    assert run("anomalies", "mute", "--source", "shop", "--for", "0d", "--reason", "x").returncode == 2
