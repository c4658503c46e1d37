"""`activity-pipeline query`."""

from __future__ import annotations

import json

import pytest

from activity_pipeline.events.days import today
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.integration.cli.conftest import Run


@pytest.fixture
def cold(running: Running) -> Cold:
    """40 events of today and 20 archived ones."""
    cold = Cold(running)
    cold.send_hot(cold.day(1), 20)
    cold.archive()
    cold.send(today(), 40)
    return cold


def test_pages_counts_and_facets(run: Run, cold: Cold) -> None:
    page = json.loads(run("query", "--json", "--limit", "50").stdout)
    rest = json.loads(run("query", "--json", "--cursor", page["next"]).stdout)
    assert len({each["id"] for each in page["events"] + rest["events"]}) == 60
    shown = run("query", "--source", "shop1", "--action", "order.*", "--since", "9999d", "--limit", "3")
    assert shown.returncode == 0
    assert shown.stdout.count("shop1") == 3
    assert "--cursor" in shown.stdout
    assert run("query", "--count").stdout == "60 events\n"
    assert run("query", "--count", "--since", str(today()), "--oldest").stdout == "40 events\n"
    assert run("query", "--count", "--metadata", '{"number": 7}').stdout == "1 events\n"
    facets = json.loads(run("query", "--facets", "--json").stdout)
    assert sum(each["count"] for each in facets["facets"]["source"]) == 60
    assert "of the newest 60 events" in run("query", "--facets").stdout
    one = page["events"][0]
    assert json.loads(run("query", "--id", one["id"]).stdout) == one
    assert run("query", "--user", one["user_id"], "--json").returncode == 0


def test_what_is_missing_is_said(run: Run, cold: Cold) -> None:
    (file,) = cold.newest(cold.day(1)).files
    cold.running.store.remove(file.path)
    answer = run("query")
    assert answer.returncode == 1
    assert answer.stderr == f"not complete: the archive of {cold.day(1)} cannot be read\n"
    assert run("query", "--since", "1d").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metadata", "[]"], "is not a JSON object"),
        (["--since", "soon"], "is not an instant"),
        (["--action", "a*", "--action", "b"], "stands alone"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], said: str) -> None:
    answer = run("query", *arguments)
    assert answer.returncode == 2
    assert said in answer.stderr


def test_a_wrong_cursor_is_one_line(run: Run) -> None:
    answer = run("query", "--cursor", "x")
    assert (answer.returncode, answer.stderr) == (1, "error: the cursor is none of ours\n")
