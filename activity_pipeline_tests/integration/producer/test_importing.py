"""Files of every known format arrive in the stream; damage is told and costs only what is damaged."""

from __future__ import annotations

import gzip
import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest

from activity_pipeline.errors import ImportFileError
from activity_pipeline.producer import Limits
from activity_pipeline.producer.importing import ImportReport, import_file, rebase_weeks

from ...unit.producer.test_formats import CLOUDTRAIL, GITHUB, encoded
from .conftest import RedisServer
from .test_delivery import MakeLogger, actions

NOW = datetime(2026, 3, 1, tzinfo=UTC)


def event_line(number: int, day: str = "2012-03-14") -> bytes:
    return b'{"timestamp":"%bT10:00:00.%06dZ", "source":"s","action":"%d"}' % (day.encode(), number, number)


LINES = [event_line(number) for number in range(5000)]


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_our_lines_pass_through_untouched(
    compress: type[bytes], server: RedisServer, make_logger: MakeLogger, tmp_path: Path
) -> None:
    path = tmp_path / "events"
    odd = [b"{not json", b"\xff", b'{"a":1}']
    many = LINES * 30
    path.write_bytes(compress(b"\r\n".join([*many, b"", b" ", *odd])))
    logger = make_logger(limits=Limits(buffer_bytes=4 * 1024 * 1024))
    seen: list[ImportReport] = []
    report = import_file(path, logger, progress=seen.append)
    assert logger.flush()
    assert server.lines() == [*many, *odd]
    assert (report.format, report.lines, report.events, report.malformed) == ("ndjson", 150_003, 150_003, 0)
    assert report.bytes_read == path.stat().st_size
    assert seen[-1] == report
    assert logger.stats.spooled == 0, "an import waits for Redis and does not fill the disk"


def test_the_standard_input_is_a_file_too(
    server: RedisServer, make_logger: MakeLogger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(b"\n".join(LINES)))))
    logger = make_logger()
    assert import_file("-", logger).lines == 5000
    assert logger.flush()
    assert server.lines() == LINES
    with pytest.raises(ImportFileError, match="standard input"):
        rebase_weeks("-")


@pytest.mark.parametrize("indent", [None, 1])
def test_a_cloudtrail_log_file_is_one_document(
    indent: int | None, server: RedisServer, make_logger: MakeLogger, tmp_path: Path
) -> None:
    path = tmp_path / "trail.json.gz"
    document = {"Records": [CLOUDTRAIL, {"eventName": "broken"}, CLOUDTRAIL]}
    path.write_bytes(gzip.compress(json.dumps(document, indent=indent).encode()))
    logger = make_logger()
    report = import_file(path, logger)
    assert logger.flush()
    assert (report.format, report.lines, report.events, report.malformed) == ("cloudtrail", 3, 2, 1)
    first, broken, _ = map(json.loads, server.lines())
    assert first["action"] == "GetObject"
    assert broken == {"eventName": "broken"}


def test_foreign_lines_are_mapped_and_broken_ones_passed_on(
    server: RedisServer, make_logger: MakeLogger, tmp_path: Path
) -> None:
    path = tmp_path / "archive"
    path.write_bytes(b"\n".join([encoded(GITHUB), b'{"id":"1"}', b"{", encoded(GITHUB)]))
    logger = make_logger()
    report = import_file(path, logger, rebase=1)
    assert logger.flush()
    assert (report.format, report.lines, report.events, report.malformed) == ("gharchive", 4, 2, 2)
    lines = server.lines()
    assert lines[1:3] == [b'{"id":"1"}', b"{"]
    assert json.loads(lines[0])["timestamp"] == "2015-01-08T15:00:01Z"


def test_a_format_can_be_forced(server: RedisServer, make_logger: MakeLogger, tmp_path: Path) -> None:
    path = tmp_path / "archive"
    path.write_bytes(encoded(GITHUB))
    logger = make_logger()
    assert import_file(path, logger, format="ndjson").format == "ndjson"
    assert logger.flush()
    assert server.lines() == [encoded(GITHUB)]


def test_a_rebased_file_ends_within_the_last_week(
    server: RedisServer, make_logger: MakeLogger, tmp_path: Path
) -> None:
    path = tmp_path / "events"
    lines = [event_line(1, "2012-03-14"), b"broken", event_line(2, "2012-03-20"), event_line(3, "2012-02-28")]
    path.write_bytes(b"\n".join(lines))
    weeks = rebase_weeks(path)
    logger = make_logger()
    import_file(path, logger, rebase=weeks)
    assert logger.flush()
    moved = server.lines()
    assert moved[1] == b"broken"
    last = datetime.fromisoformat(json.loads(moved[2])["timestamp"])
    assert timedelta(0) <= datetime.now(UTC) - last < timedelta(days=7)
    assert last.weekday() == datetime(2012, 3, 20, tzinfo=UTC).weekday()
    assert [line[25:] for line in moved] == [line[25:] for line in lines]


@pytest.mark.parametrize(
    ("content", "weeks"),
    [
        (event_line(0, "2026-02-22"), 0),
        (event_line(0, "2026-02-15"), 1),
        (event_line(0, "2026-03-01"), -1),
        (encoded({"Records": [{**CLOUDTRAIL, "eventTime": "2026-02-08T00:00:00Z"}]}), 3),
        (encoded({**CLOUDTRAIL, "eventTime": "2026-02-08T00:00:00Z"}), 3),
        (encoded({**GITHUB, "created_at": "2026-02-08T00:00:01Z"}), 2),
    ],
)
def test_the_weeks_come_from_the_last_timestamp_of_any_format(
    content: bytes, weeks: int, tmp_path: Path
) -> None:
    path = tmp_path / "events"
    path.write_bytes(content)
    assert rebase_weeks(path, now=NOW) == weeks


def test_a_damaged_file_is_imported_up_to_the_damage(
    server: RedisServer, make_logger: MakeLogger, tmp_path: Path
) -> None:
    path = tmp_path / "events.gz"
    compressed = gzip.compress(b"\n".join(LINES))
    path.write_bytes(compressed[: len(compressed) // 2])
    logger = make_logger()
    with pytest.raises(ImportFileError, match="truncated") as caught:
        import_file(path, logger)
    assert logger.flush()
    arrived = server.lines()
    assert arrived == LINES[: len(arrived)]
    assert 0 < len(arrived) == caught.value.report.lines < 5000  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_file_that_cannot_be_opened_is_an_error_of_ours(
    name: str, make_logger: MakeLogger, tmp_path: Path
) -> None:
    with pytest.raises(ImportFileError):
        import_file(tmp_path / name, make_logger())
    with pytest.raises(ImportFileError):
        rebase_weeks(tmp_path / name)


def test_a_file_without_timestamps_cannot_be_rebased(tmp_path: Path) -> None:
    path = tmp_path / "events"
    path.write_bytes(b"{}\n")
    with pytest.raises(ImportFileError, match="timestamp"):
        rebase_weeks(path)


def test_too_large_a_line_is_declared_and_the_rest_arrives(
    server: RedisServer, make_logger: MakeLogger, tmp_path: Path
) -> None:
    path = tmp_path / "events"
    path.write_bytes(LINES[0] + b"\n" + b"x" * (65 * 1024 * 1024) + b"\n" + LINES[1])
    logger = make_logger()
    import_file(path, logger)
    assert logger.flush()
    assert actions(server) == ["0", "1"]
    assert logger.stats.dropped == {"too_large": 1}
