"""What tables show is data, to the letter."""

from __future__ import annotations

import json

import pytest

from activity_pipeline.cli.output import print_table
from activity_pipeline_tests.integration.cli.conftest import Run


def test_brackets_and_colons_are_shown_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table("[bold]", [{"value": "[redacted] [/] [link=x] :smile:"}])
    assert capsys.readouterr().out.split("\n")[0].strip() == "[bold]"
    print_table("t", [{"value": "[redacted] [/] [link=x] :smile:"}])
    assert "[redacted] [/] [link=x] :smile:" in capsys.readouterr().out


def test_the_example_tells_what_its_service_did(run: Run) -> None:
    result = run("legacy", "example", "--json")
    assert result.returncode == 0, result.stderr
    told = json.loads(result.stdout)
    assert [each["action"] for each in told] == [
        "subscriptions.insert",
        "user.created",
        "subscriptions.update",
        "user.closed",
    ], "what was rolled back was not told"
    assert json.loads(told[1]["metadata"]) == {"name": "Ada", "email": "ada@example.org"}
    changed = json.loads(told[2]["metadata"])
    assert (changed["old"]["plan"], changed["new"]["plan"]) == ("free", "pro")
    assert changed["new"]["card_token"] == "[redacted]"
    assert "tok_4242" not in result.stdout
