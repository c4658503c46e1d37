"""The command line as a user runs it: real processes, on the servers of the session."""

from __future__ import annotations

import gzip
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from activity_pipeline.cli.main import cli
from activity_pipeline.producer.outbox import log_in_transaction
from activity_pipeline.settings import packaged
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.cli.conftest import Run
from activity_pipeline_tests.lines import line

TODAY = datetime.now(UTC).isoformat()
LONG_AGO = (datetime.now(UTC) - timedelta(days=100)).isoformat()


def _events(count: int, timestamp: str, start: int = 0) -> bytes:
    lines = (
        {
            "id": f"00000000-0000-4000-8000-{number:012d}",
            "timestamp": timestamp,
            "source": "shop",
            "action": "order_placed",
            "metadata": {"n": number},
        }
        for number in range(start, start + count)
    )
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def _json(result: subprocess.CompletedProcess[str]) -> Any:
    assert result.returncode == 0, result.stderr
    return json.loads(result.stdout)


def test_events_go_from_a_file_to_the_analyst(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "events.ndjson.gz"
    file.write_bytes(gzip.compress(_events(300, LONG_AGO) + _events(200, TODAY, 300) + b'{"source": "x"}\n'))

    assert _json(run("import", str(file), "--json"))["lines"] == 501
    drained = _json(run("drain", "--json"))
    assert (drained["inserted"], drained["dead_lettered"], drained["duplicate"]) == (500, 1, 0)
    archived = _json(run("archive", "run", "--json"))
    assert [(day["generation"], day["rows"]) for day in archived] == [(1, 300)]
    assert {day["state"] for day in _json(run("archive", "list", "--json"))} == {"archived", "open"}
    metrics = _json(run("metrics", "--days", f"{LONG_AGO[:10]}..{TODAY[:10]}", "--json"))
    assert sorted(row["count"] for row in metrics) == [200, 300]
    assert _json(run("anomalies", "--json")) == []
    rows = _json(
        run("sql", "select count(*) as n, min(metadata->>'n') as lowest from activity_logs", "--json")
    )
    assert rows == [{"n": 300, "lowest": "0"}]
    ledger = _json(run("ledger", "--by", "producer", "--json"))
    assert (ledger["residual"], ledger["hot"], ledger["archived"], ledger["received"]) == (0, 200, 300, 501)
    assert [producer["missing"] for producer in ledger["producers"]] == [0]


def test_the_same_file_again_is_all_duplicates_wherever_the_first_copy_lives(
    run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "events.ndjson"
    file.write_bytes(_events(50, LONG_AGO) + _events(50, TODAY, 50))
    _json(run("import", str(file), "--json"))
    assert _json(run("drain", "--json"))["inserted"] == 100
    for archived in (False, True):
        if archived:
            assert len(_json(run("archive", "run", "--json"))) == 1
        _json(run("import", str(file), "--json"))
        again = _json(run("drain", "--json"))
        assert (again["inserted"], again["duplicate"]) == (0, 100)
    assert _json(run("ledger", "--json"))["residual"] == 0


def test_log_prints_the_id_of_the_event_that_arrives(run: Run, running: Running) -> None:
    event_id = run("log", "greeted", "--source", "shell", "--metadata", '{"to": "wörld"}').stdout.strip()
    assert _json(run("drain", "--json"))["inserted"] == 1
    row = running.statements.execute(
        "select action, metadata from activity_logs where id = %s", [event_id]
    ).fetchone()
    assert row == ("greeted", {"to": "wörld"})


def test_import_reads_the_standard_input(run: Run) -> None:
    assert _json(run("import", "-", "--json", stdin=_events(10, TODAY)))["lines"] == 10
    assert _json(run("drain", "--json"))["inserted"] == 10


def test_a_damaged_file_is_an_error_and_loses_nothing_before_the_damage(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "cut.ndjson.gz"
    file.write_bytes(gzip.compress(_events(20_000, TODAY))[:-100])
    result = run("import", str(file))
    assert result.returncode == 1
    assert result.stderr.startswith("error: ")
    assert "Traceback" not in result.stderr
    drained = _json(run("drain", "--json"))
    assert drained["received"] > 10_000
    assert _json(run("ledger", "--json"))["residual"] == 0


def test_the_ledger_says_what_is_missing_and_exits_1(run: Run, running: Running) -> None:
    running.send(b'{"source":"a","action":"b"}', producer="gappy", sequence=7)
    _json(run("drain", "--json"))
    result = run("ledger", "--by", "producer", "--json")
    assert result.returncode == 1
    ledger = json.loads(result.stdout)
    assert (ledger["missing"], ledger["producers"][0]["missing_ranges"]) == (7, "{[0,7)}")
    assert "missing 7" in run("ledger").stdout


def test_doctor_finds_nothing_wrong_and_then_what_is(run: Run, running: Running) -> None:
    assert all(finding["verdict"] != "fail" for finding in _json(run("doctor", "--json")))
    running.queue.config_set("maxmemory-policy", "allkeys-lru")
    try:
        result = run("doctor")
        assert result.returncode == 1
        assert "allkeys-lru" in result.stdout
        refused = run("drain")
        assert refused.returncode == 1
        assert "noeviction" in refused.stderr
    finally:
        running.queue.config_set("maxmemory-policy", "noeviction")


def test_an_archive_is_verified_without_a_server(run: Run, running: Running) -> None:
    running.send(line(1, datetime.fromisoformat(LONG_AGO)))
    running.drain()
    assert len(_json(run("archive", "run", "--json"))) == 1
    root = running.store.root
    alone = ("archive", "verify", "--root", root, "--deep", "--json")
    found = _json(run(*alone))
    assert (found["manifests"], found["files"], found["rows"], found["faults"]) == (1, 1, 1, [])
    (file,) = Path(root).glob("events/*/*.parquet")
    file.write_bytes(file.read_bytes()[:-1])
    touched = run(*alone)
    assert touched.returncode == 1
    assert "bytes, not" in json.loads(touched.stdout)["faults"][0]["what"]


def test_migrate_goes_back_and_forth(run: Run) -> None:
    assert run("migrate").stdout.strip() == "the schema is up to date"
    every = [path for path in (packaged("sql") / "migrations").glob("*.sql") if ".rollback." not in path.name]
    assert len(_json(run("migrate", "--to", "0", "--json"))["taken"]) == len(every)
    assert "run activity-pipeline migrate" in run("doctor").stdout
    assert len(_json(run("migrate", "--json"))["taken"]) == len(every)


def test_the_outbox_of_an_application(run: Run, empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "names no database" in run("migrate", "--outbox").stderr
    monkeypatch.setenv("ACTIVITY_OUTBOX_DSN", empty_database)
    assert "outbox 1 does not exist" in run("doctor").stdout
    assert "migrate --outbox" in run("drain").stderr
    assert _json(run("migrate", "--outbox", "--json"))["taken"] == ["0004_outbox"]
    assert "--to" in run("migrate", "--outbox", "--to", "0").stderr
    with psycopg.connect(empty_database) as connection:
        log_in_transaction(connection, "paid", source="shop")
    assert "outbox 1: 1 rows wait" in run("doctor").stdout
    drained = _json(run("drain", "--json"))
    assert (drained["received"], drained["from_outbox"]) == (1, 1)
    assert _json(run("ledger", "--json"))["residual"] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["nonsense"], 2, "No such command"),
        (["archive", "list", "--days", "soon"], 2, "2026-03-01..2026-03-31"),
        (["log", "x", "--metadata", "[1]"], 2, "not a JSON object"),
        (["log", "x", "--user", "me"], 2, "not a valid UUID"),
        (["sql"], 2, "a query is needed"),
        (["sql", "select nonsense"], 1, "error: Binder Error"),
        (["import", "/does/not/exist"], 1, "error: "),
    ],
)
def test_errors_are_one_line_and_have_their_code(
    run: Run, arguments: list[str], code: int, said: str
) -> None:
    result = run(*arguments)
    assert result.returncode == code
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_every_command_has_help_with_an_example() -> None:
    import click

    def leaves(command: click.Command) -> list[click.Command]:
        if isinstance(command, click.Group):
            return [leaf for sub in command.commands.values() for leaf in leaves(sub)]
        return [command]

    commands = leaves(cli)
    assert {command.name for command in commands} >= {
        "demo",
        "up",
        "doctor",
        "migrate",
        "log",
        "import",
        "drain",
    }
    for command in commands:
        assert "Example: activity-pipeline" in (command.help or ""), command.name
        if command.name not in {"up", "api"}:
            assert "--json" in [option for p in command.params for option in p.opts], command.name
