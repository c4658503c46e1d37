"""The rules that hold for the whole tree, run as tests: layers, style, types, sizes."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = Path(sysconfig.get_path("scripts"))
TOOLS = {
    "layers hold": [str(SCRIPTS / "lint-imports")],
    "ruff is clean": [sys.executable, "-m", "ruff", "check", "."],
    "the format is ruff's": [sys.executable, "-m", "ruff", "format", "--check", "."],
    "mypy is clean": [sys.executable, "-m", "mypy"],
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool_finds_nothing(tool: str) -> None:
    result = subprocess.run(TOOLS[tool], cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("path", sorted(ROOT.glob("activity_pipeline/**/*.py")), ids=lambda p: p.name)
def test_no_module_is_longer_than_a_newcomer_reads(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= 300


def test_the_top_level_is_the_agreed_one() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if tracked.returncode:
        pytest.skip("not a git checkout: what belongs to the project cannot be told from what lies beside it")
    names = {line.split("/")[0] for line in tracked.stdout.splitlines()}
    agreed = {"pyproject.toml", "README.md", "workspace.yaml", "dagster.yaml", "LICENSE", "CHANGELOG.md"}
    folders = {"sql", "activity_pipeline", "activity_pipeline_tests"}
    assert {name for name in names if not name.startswith(".")} <= agreed | folders


def test_the_producer_imports_nothing_heavy() -> None:
    code = (
        "import sys, activity_pipeline.producer\n"
        "heavy = {'dagster', 'polars', 'pyarrow', 'duckdb', 'numpy', 'psycopg', 'pandas', 'click', 'scipy'}\n"
        "print(*sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.split() == []
