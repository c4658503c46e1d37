"""`legacy map` and `legacy import-history` as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from activity_pipeline.bench.legacy.workload import run_workload
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.connection import connect
from activity_pipeline_tests.conftest import Databases
from activity_pipeline_tests.integration.cli.conftest import Run


def test_from_a_proposal_to_an_archive(
    run: Run, databases: Databases, legacy_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = today() - 50 * ONE_DAY
    for dsn in databases.lend(databases.create(legacy_template)):
        run_workload(dsn, operations=5, clients=1)
        with connect(dsn) as connection:
            connection.execute("update app.audit_logs set created_at = %s::date + id * interval '1 s'", [day])
            row = connection.execute("select count(*) from app.audit_logs").fetchone()
            assert row is not None
            count = row[0]
        monkeypatch.setenv("ACTIVITY_LEGACY_DSN", dsn)
        mapping = tmp_path / "mapping.toml"
        mapping.write_text(run("legacy", "map").stdout)
        checked = run("legacy", "map", "--check", str(mapping), "--json")
        assert checked.returncode == 0, checked.stderr
        assert json.loads(checked.stdout)["refused"] == {}
        assert run("legacy", "import-history").stderr.startswith("error: which mapping?")
        imported = run("legacy", "import-history", "--mapping", str(mapping), "--json")
        assert imported.returncode == 0, imported.stderr
        said = json.loads(imported.stdout)
        (done,) = said["days"]
        assert said["undated_rows"] == 0
        assert (done["day"], done["rows"], done["archived_events"]) == (day.isoformat(), count, count)
        assert run("archive", "verify", "--deep").returncode == 0
        again = run("legacy", "import-history", "--mapping", str(mapping))
        assert (again.returncode, "was_done" in again.stdout) == (0, True)
        assert again.stderr == ""
        with connect(dsn) as connection:
            connection.execute("alter table app.audit_logs alter created_at drop not null")
            for time in ("infinity", "-infinity", "20000-01-01", None):
                connection.execute(
                    "update app.audit_logs set created_at = %s where id = (select min(id) from "
                    "app.audit_logs where created_at between '2000-01-01' and '2100-01-01')",
                    [time],
                )
        span = f"{day}..{day + ONE_DAY}"
        left = run("legacy", "import-history", "--mapping", str(mapping), "--days", span, "--json")
        assert left.returncode == 1
        assert "4 rows of app.audit_logs are on no day" in left.stderr
        said = json.loads(left.stdout)
        assert [each["was_done"] for each in said["days"]] == [True, False]
        assert said["undated_rows"] == 4
