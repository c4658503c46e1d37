"""`archive verify` by itself: on a copy, with no server, no setting and nothing left behind."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.cli.conftest import Run
from activity_pipeline_tests.lines import line

LONG_AGO = datetime.now(UTC) - timedelta(days=100)
KEPT = ("PATH", "PYTHONPATH", "HOME")
"""All that a process needs of the environment."""


@dataclass(frozen=True)
class Copy:
    """A copy of an archive, and a folder that the command runs in.

    Attributes:
        root: The copy.
        key: The public key that it is signed with.
        folder: Where the command runs.
    """

    root: Path
    key: Path
    folder: Path

    def verify(self, *arguments: object) -> subprocess.CompletedProcess[str]:
        """Run `archive verify` as whoever was handed the copy does."""
        command = [sys.executable, "-m", "activity_pipeline", "archive", "verify", *map(str, arguments)]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={name: os.environ[name] for name in KEPT if name in os.environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert list(self.folder.iterdir()) == [], "nothing is made where a copy is verified"
        assert "Traceback" not in done.stderr
        return done


@pytest.fixture
def copied(run: Run, running: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Copy:
    assert run("archive", "keygen", str(tmp_path / "key.pem")).returncode == 0
    assert run("archive", "keygen", str(tmp_path / "other.pem")).returncode == 0
    monkeypatch.setenv("ACTIVITY_ARCHIVE_SIGNING_KEY", str(tmp_path / "key.pem"))
    running.send(*(line(number, LONG_AGO + timedelta(days=number % 2)) for number in range(10)))
    running.drain()
    assert run("archive", "run").returncode == 0
    shutil.copytree(running.store.root, tmp_path / "copy")
    (tmp_path / "here").mkdir()
    return Copy(tmp_path / "copy", tmp_path / "key.pem.pub", tmp_path / "here")


def test_a_copy_alone(copied: Copy) -> None:
    done = copied.verify("--root", copied.root, "--public-key", copied.key, "--deep", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["days"], found["rows"], found["signed"], found["faults"]) == (2, 10, 2, [])
    shown = copied.verify("--root", copied.root, "--noted", found["head"].split()[1])
    assert shown.returncode == 0
    assert "none, all is as it was published" in shown.stdout


def test_what_is_wrong_is_named(run: Run, copied: Copy) -> None:
    path = next(copied.root.glob("events/*/*.parquet"))
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    done = copied.verify("--root", copied.root, "--json")
    assert done.returncode == 1
    (fault,) = json.loads(done.stdout)["faults"]
    assert fault["path"] == path.relative_to(copied.root).as_posix()
    shown = run("archive", "verify", "--root", str(copied.root))
    assert shown.returncode == 1
    assert fault["path"] in shown.stdout
    assert "(SHA-256)" in shown.stdout


def test_another_key_is_not_trusted(run: Run, copied: Copy) -> None:
    other = copied.key.with_name("other.pem.pub")
    result = run("archive", "verify", "--root", str(copied.root), "--public-key", str(other), "--json")
    assert result.returncode == 1
    faults = json.loads(result.stdout)["faults"]
    assert len(faults) == 3
    assert all("which is not trusted" in fault["what"] for fault in faults)
    missing = run("archive", "verify", "--root", str(copied.root), "--public-key", "nowhere.pub")
    assert missing.returncode == 1
    assert missing.stderr.startswith("error: the public key nowhere.pub cannot be read")


@pytest.mark.parametrize("place", ["nowhere", "empty"])
def test_where_there_is_no_archive_nothing_is_proved(run: Run, tmp_path: Path, place: str) -> None:
    (tmp_path / "empty").mkdir()
    result = run("archive", "verify", "--root", str(tmp_path / place), "--json")
    assert result.returncode == 1
    (fault,) = json.loads(result.stdout)["faults"]
    assert fault == {"path": str(tmp_path / place), "what": "there is no archive here: not one manifest"}


def test_what_cannot_be_read_is_one_line_or_one_fault(run: Run, copied: Copy) -> None:
    """Whoever runs the tests may be root, who reads everything: so what is read is of the wrong kind."""
    one_file = run("archive", "verify", "--root", str(copied.key))
    assert one_file.returncode == 1
    assert one_file.stderr.startswith("error: the archive cannot look at head.json")
    first, second = sorted(copied.root.glob("events/*/*.parquet"))
    first.unlink()
    first.mkdir()
    second.unlink()
    second.parent.rename(second.parent.with_name("elsewhere"))
    second.parent.write_text("a file where a folder should be")
    result = run("archive", "verify", "--root", str(copied.root), "--deep", "--json")
    assert result.returncode == 1
    said = {fault["path"]: fault["what"] for fault in json.loads(result.stdout)["faults"]}
    assert set(said) == {str(path.relative_to(copied.root)) for path in (first, second, second.parent)}
    assert "Not a directory" in said[str(second.relative_to(copied.root))]
