"""`archive erase`, `archive erasures` and `archive hold` as an operator uses them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from uuid import UUID

import pytest

from activity_pipeline.events.days import today
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.integration.cli.conftest import Run

USER = UUID("0198c2f0-8a5e-7cc0-b0d1-3f2a9e5b7c11")


@pytest.fixture
def cold(running: Running) -> Cold:
    return Cold(running)


def _out(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_holds_on_the_command_line(cold: Cold, run: Run) -> None:
    said = json.loads(
        _out(run("archive", "hold", "add", "--user", str(USER), "--reason", "case 1", "--json"))
    )
    assert (said[0]["id"], said[0]["held"], said[0]["reason"]) == (1, str(USER), "case 1")
    _out(run("archive", "hold", "add", "--entity", "contract", "c-1", "--reason", "case 2", "--by", "me"))
    _out(run("archive", "hold", "add", "--days", "2026-03-01..2026-03-31", "--reason", "case 3"))
    refused = run("archive", "erase", "--user", str(USER))
    assert (refused.returncode, refused.stderr.count("\n")) == (1, 1)
    assert "hold 1 forbids it" in refused.stderr
    assert "case 1" in refused.stderr
    assert run("archive", "hold", "remove", "1", "--reason", "closed").returncode == 0
    assert "no legal hold 1 is in force" in run("archive", "hold", "remove", "1", "--reason", "x").stderr
    in_force = json.loads(_out(run("archive", "hold", "list", "--json")))
    assert [each["held"] for each in in_force] == ["contract c-1", "2026-03-01..2026-03-31"]
    ever = json.loads(_out(run("archive", "hold", "list", "--all", "--json")))
    assert [each["removed_reason"] for each in ever] == ["closed", None, None]
    assert "case 3" in _out(run("archive", "hold", "list"))
    for wrong in ([], ["--user", str(USER), "--days", "2026-03-01"]):
        assert run("archive", "hold", "add", *wrong, "--reason", "x").returncode == 2
    assert run("archive", "hold", "add", "--user", str(USER)).returncode == 2
    assert run("archive", "hold", "add", "--user", str(USER), "--reason", " ").returncode == 2


def test_erasing_on_the_command_line(cold: Cold, run: Run) -> None:
    cold.send_hot(cold.day(2), 2, user_id=str(USER))
    others = cold.send(cold.day(2), 2)
    cold.archive()
    cold.send(today(), 1, user_id=str(USER))
    dry = json.loads(_out(run("archive", "erase", "--user", str(USER), "--dry-run", "--json")))
    assert dry["receipt"] is None
    done = json.loads(
        _out(run("archive", "erase", "--user", str(USER), "--reason", "request 3", "--by", "me", "--json"))
    )
    assert dry["places"] == done["places"] == [
        {"place": "hot", "days": 1, "rows": 1, "files": 0},
        {"place": "archive", "days": 1, "rows": 2, "files": 1},
    ]  # fmt: skip
    assert cold.running.store.exists(done["receipt"])
    (known,) = json.loads(_out(run("archive", "erasures", "--json")))
    assert (known["rows"], known["by"], known["reason"], known["receipt"]) == (
        3,
        "me",
        "request 3",
        done["receipt"],
    )
    assert "request 3" in _out(run("archive", "erasures"))
    assert json.loads(_out(run("archive", "verify", "--deep", "--json")))["faults"] == []
    cold.check(others)
    cold_views = (Path(cold.running.store.root) / "views.sql").read_text()
    assert "part-2.parquet" in cold_views
    assert "part-1.parquet" not in cold_views
    cold.send(today(), 1, entity_type="t", entity_id="i")
    shown = _out(run("archive", "erase", "--entity", "t", "i"))
    assert "receipt: receipts/" in shown
    assert "activity-pipeline metrics" in shown
    assert "nothing is stored of it" in _out(run("archive", "erase", "--entity", "t", "i"))
    for wrong in ([], ["--user", str(USER), "--entity", "t", "i"], ["--user", "nobody"]):
        assert run("archive", "erase", *wrong).returncode == 2
