"""`status`: what an operator sees on one screen, and what a machine reads."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime

import pytest

from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.integration.cli.conftest import Run
from activity_pipeline_tests.lines import lines


@pytest.fixture
def filled(running: Running) -> Running:
    """A pipeline with hot, late, archived and waiting events."""
    cold = Cold(running)
    cold.send_hot(cold.day(2), 4)
    cold.archive()
    cold.send(cold.day(2), 1)
    cold.send(today() - ONE_DAY, 6)
    running.send(*lines(900_000, 3, datetime.now(UTC)), sequence=900_000)
    return running


def test_in_figures(filled: Running, run: Run) -> None:
    said = json.loads(run("status", "--json").stdout)
    assert (said["hot"], said["late"], said["archived"], said["residual"]) == (6, 1, 4, 0)
    assert said["queue_waiting_events"] == 3
    assert said["arrived_today"] == 11
    assert said["days"] == {"reopened": 1, "open": 1}
    assert len(said["stale_metrics"]) == 2
    run("anomalies")
    assert json.loads(run("status", "--json").stdout)["stale_metrics"] == []


def test_on_a_screen(filled: Running, run: Run) -> None:
    shown = run("status")
    assert shown.returncode == 0
    for text in ("residual 0 of 11 received", "3 events wait", "open 1, reopened 1", "1 late", "out of date"):
        assert text in shown.stdout


def test_a_ledger_that_does_not_close_is_exit_1(filled: Running, run: Run) -> None:
    filled.statements.execute("update activity_ledger set inserted = inserted + 1")
    assert run("status").returncode == 1


def test_watching_ends_on_ctrl_c(filled: Running, run: Run) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "activity_pipeline", "status", "--watch", "--every", "0.5"],
        env=os.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    seen = ""
    while "events/s" not in seen:
        line = process.stdout.readline()
        assert line, "it ended by itself"
        seen += line
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (0, "")


@pytest.mark.filterwarnings("ignore::DeprecationWarning:apprise.*")
def test_alerts_on_the_command_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("alerts", "list").stdout == "alerts: none\n"
    nobody = run("alerts", "test")
    assert (nobody.returncode, nobody.stdout) == (1, "channels: none: set ACTIVITY_ALERT_URLS\n")
    monkeypatch.setenv("ACTIVITY_ALERT_URLS", "http://127.0.0.1:9/closed?token=secret")
    away = run("alerts", "test", "--json")
    (reply,) = json.loads(away.stdout)
    assert (away.returncode, reply["channel"], reply["taken"]) == (1, "1 webhook", False)
    assert "Connection error" in reply["said"]
    assert "secret" not in away.stdout + away.stderr
