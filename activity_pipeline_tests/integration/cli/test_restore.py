"""`archive restore` and `archive expire` as an operator uses them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activity_pipeline.events.days import ONE_DAY
from activity_pipeline.hot import restored
from activity_pipeline.hot.connection import connect
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Warm
from activity_pipeline_tests.integration.cli.conftest import Run


@pytest.fixture
def warm(running: Running) -> Warm:
    """Two archived days with one between them that is not, and a hot one."""
    warm = Warm(running)
    for back in (3, 1, -1):
        warm.send_hot(warm.day(back), 4)
    warm.archive()
    return warm


def test_days_are_restored_listed_and_given_back(run: Run, warm: Warm) -> None:
    first, last = warm.day(3), warm.day(1)
    days = f"{first - 2 * ONE_DAY}..{last}"
    began = datetime.now(UTC)
    said = run("archive", "restore", "--days", days, "--json")
    assert said.returncode == 0
    done = json.loads(said.stdout)
    assert [(row["day"], row["what"], row["rows"]) for row in done["restored"]] == [
        (first.isoformat(), "restored", 4),
        (last.isoformat(), "restored", 4),
    ]
    until = datetime.fromisoformat(done["restored"][0]["until"])
    assert timedelta(0) <= until - began - timedelta(days=7) < timedelta(minutes=5)
    between = warm.day(2)
    assert done["not_archived"] == [f"{first - 2 * ONE_DAY}..{first - ONE_DAY}", between.isoformat()]
    said = run("archive", "restore", "--days", days, "--ttl", "2w")
    assert "2 days restored" in said.stdout
    assert "extended" in said.stdout
    assert f"not archived, or still in Postgres: {first - 2 * ONE_DAY}.." in said.stdout
    listed = {
        row["day"]: row["restored_until"] for row in json.loads(run("archive", "list", "--json").stdout)
    }
    assert listed[warm.day(-1).isoformat()] is None
    assert datetime.fromisoformat(listed[last.isoformat()]) > until + timedelta(days=6)
    assert json.loads(run("ledger", "--json").stdout)["residual"] == 0
    said = run("archive", "restore", "--days", str(last), "--drop", "--json")
    assert json.loads(said.stdout) == {"dropped": [last.isoformat()]}
    assert run("archive", "restore", "--days", str(last), "--drop").stdout == "0 restored days dropped\n"
    assert warm.tables() == [f"activity_logs_archive_{first:%Y%m%d}"]


@pytest.mark.parametrize("command", ["expire", "run"])
def test_days_whose_time_is_over_go(
    run: Run, warm: Warm, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, last = warm.day(3), warm.day(1)
    assert run("archive", "restore", "--days", f"{first}..{last}").returncode == 0
    assert run("archive", command).returncode == 0
    assert len(warm.tables()) == 2
    warm.running.statements.execute("update activity_days set restored_until = now() where day = %s", [first])
    monkeypatch.setattr(restored, "TRIES", 1)
    with connect(warm.running.settings.postgres_dsn) as reader, reader.transaction():
        reader.execute("select count(*) from activity_logs_archive")
        said = run("archive", command)
        assert "1 restored days are being read and stay for now" in said.stderr
        assert said.returncode == (1 if command == "expire" else 0)
    assert run("archive", command).returncode == 0
    assert warm.tables() == [f"activity_logs_archive_{last:%Y%m%d}"]


def test_no_archived_day_is_an_error(run: Run, warm: Warm) -> None:
    between, hot = warm.day(2), warm.day(-1)
    said = run("archive", "restore", "--days", str(between))
    assert (said.returncode, said.stderr) == (1, f"error: none of the days {between} is archived\n")
    said = run("archive", "restore", "--days", f"{hot}..{hot + ONE_DAY}", "--json")
    assert (said.returncode, said.stdout) == (1, "")
    assert said.stderr == f"error: none of the days {hot}..{hot + ONE_DAY} is archived\n"


def test_a_damaged_day_is_an_error_of_one_line(run: Run, warm: Warm) -> None:
    first, last = sorted(Path(warm.running.store.root).glob("events/*/*.parquet"))
    last.write_bytes(first.read_bytes())
    said = run("archive", "restore", "--days", f"{warm.day(3)}..{warm.day(1)}")
    assert said.returncode == 1
    assert said.stderr.count("\n") == 1
    assert f"events/date={warm.day(1)}/part-1.parquet is not the file that its manifest lists" in said.stderr
    assert warm.tables() == [f"activity_logs_archive_{warm.day(3):%Y%m%d}"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing option '--days'"),
        (
            ["--days", "2026-03-01", "--ttl", "soon"],
            "a time to live is written 30m, 12h, 7d or 2w, not 'soon'",
        ),
        (["--days", "2026-03-01", "--ttl", "7"], "a time to live is written"),
        (["--days", "2026-03-01", "--ttl", "-1d"], "a time to live is written"),
        (["--days", "2026-03-01", "--ttl", "٣d"], "a time to live is written"),
        (["--days", "2026-03-01", "--ttl", "0"], "to give days back at once use --drop"),
        (["--days", "2026-03-01", "--ttl", "0h"], "to give days back at once use --drop"),
        (["--days", "2026-03-01", "--ttl", "9999999w"], "ten years are the longest"),
        (["--days", "soon"], "2026-03-01..2026-03-31"),
    ],
)
def test_wrong_usage(run: Run, arguments: list[str], said: str) -> None:
    result = run("archive", "restore", *arguments)
    assert result.returncode == 2
    assert said in " ".join(result.stderr.split())
