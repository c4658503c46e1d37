"""What holds of every place that an archive may be in, and what a folder does on its own."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import pytest

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.archive.places.answers import brief, quoted
from activity_pipeline.errors import ArchiveError
from activity_pipeline_tests.faults.children import READY_S, start, write_and_die

SECRETS = ("s3://key:secret@bucket/a", "s3://bucket/a?secret=b", "gs://bucket/a#secret")
WRITERS = 8


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArchiveStore:
    return ArchiveStore(str(tmp_path / "a") if request.param == "folder" else f"memory://{uuid4().hex}")


def test_files_are_found_as_they_are(store: ArchiveStore) -> None:
    assert (store.find(""), store.list("a"), store.sizes("a"), store.size("a/b")) == ([], [], {}, None)
    for path in ("a/b", "a/c/d", "ab", "a/it's %2F [x]"):
        store.create(path, path.encode())
    assert store.find("") == ["a/b", "a/c/d", "a/it's %2F [x]", "ab"]
    assert store.list("a") == ["a/b", "a/it's %2F [x]"]
    assert store.list("") == ["ab"]
    assert store.sizes("a") == {"a/b": 3, "a/c/d": 5, "a/it's %2F [x]": 14}
    with store.writing("a/b") as stream:
        stream.write(b"new")
    assert store.read("a/b") == b"new"
    store.remove("a/b")
    store.remove("a/b")
    assert not store.exists("a/b")
    store.check()
    assert store.find("") == ["a/c/d", "a/it's %2F [x]", "ab"]


def test_one_of_many_writers_gives_a_file_its_name(store: ArchiveStore) -> None:
    race(store)


def race(store: ArchiveStore) -> None:
    """Let writers publish different manifests under one name, all at once."""
    together = threading.Barrier(WRITERS)

    def write(number: int) -> int | None:
        together.wait()
        try:
            store.create("manifests/x.json", b"%d" % number * 1000)
        except ArchiveError as error:
            assert "another writer was first" in str(error)
            return None
        return number

    with ThreadPoolExecutor(WRITERS) as pool:
        (winner,) = (number for number in pool.map(write, range(WRITERS)) if number is not None)
    assert store.read("manifests/x.json") == b"%d" % winner * 1000
    store.create("manifests/x.json", b"%d" % winner * 1000)
    assert store.find("") == ["manifests/x.json"]


def test_a_file_system_without_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    store = ArchiveStore(str(tmp_path / "a"))
    store.create("x", b"first")
    with pytest.raises(ArchiveError, match="other bytes"):
        store.create("x", b"second")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["x"]
    assert stat.S_IMODE((tmp_path / "a" / "x").stat().st_mode) == 0o600


@pytest.mark.faults
def test_a_file_of_a_process_that_was_killed_goes_with_time(tmp_path: Path) -> None:
    process = start(write_and_die, {}, str(tmp_path), "events/date=2026-01-01/part-1.parquet", [b"x"])
    process.join(READY_S)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    store = ArchiveStore(str(tmp_path))
    store.create("events/.of-somebody-else", b"")
    (left,) = (tmp_path / "events" / "date=2026-01-01").iterdir()
    assert store.find("") == ["events/.of-somebody-else"]
    assert store.clean() == []
    two_hours_ago = left.stat().st_mtime - 7200
    os.utime(left, (two_hours_ago, two_hours_ago))
    assert store.clean() == [str(left.relative_to(tmp_path))]
    assert not left.exists()
    assert store.find("") == ["events/.of-somebody-else"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = ArchiveStore(str(tmp_path / "file" / "archive"))
    with pytest.raises(ArchiveError, match="cannot write check-"):
        store.check()


def test_a_place_that_gives_a_name_away_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = ArchiveStore(str(tmp_path))

    def overwrite(path: str, content: bytes) -> bool:
        (tmp_path / path).write_bytes(content)
        return True

    monkeypatch.setattr(store._place, "create", overwrite)
    with pytest.raises(ArchiveError, match="should be written once only"):
        store.check()
    assert store.find("") == []


def test_addresses_that_are_none() -> None:
    with pytest.raises(ArchiveError, match="not ftp://"):
        ArchiveStore("ftp://host/archive")
    for url in SECRETS:
        with pytest.raises(ArchiveError, match="belong into the environment") as raised:
            ArchiveStore(url)
        assert "secret" not in str(raised.value)


def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "activity_pipeline.archive.places.bucket", raising=False)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(ArchiveError, match=r"pip install 'activity-pipeline\[object-store\]'"):
        ArchiveStore("s3://bucket/archive")


@pytest.mark.parametrize("url", ["gs://bucket/archive", "az://container/archive", "s3://bucket"])
def test_other_clouds_are_opened_by_the_same_client(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert ArchiveStore(url).full("x") == f"{url}/x"


SAID = """Generic S3 error: Error performing PUT https://u:p@host/b/x?X-Amz-Signature=abc in 1.2s, after 10 \
retries, max_retries: 10, retry_timeout: 180s  - Server returned non-2xx status code: 403 Forbidden: \
<?xml version="1.0"?>
<Error><Code>SignatureDoesNotMatch</Code><CanonicalRequest>x-amz-security-token:tok</CanonicalRequest></Error>

Debug source:
tok"""


def test_an_answer_in_one_line() -> None:
    text = "PUT https://host/b/x: 403 Forbidden after 10 retries (SignatureDoesNotMatch)"
    assert brief(Exception(SAID)) == text
    assert brief(Exception("it holds hush"), ["hush"]) == "it holds ***"
    assert quoted(Exception("Traceback …\nOSError: gone\n\nLINE 1: …")) == "gone"
    assert quoted(Exception("plain\nOSError: gone")) == "plain\nOSError: gone"
