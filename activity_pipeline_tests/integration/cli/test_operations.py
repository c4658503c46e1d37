"""`dead-letters`, `queue` and `ledger --by` as an operator uses them."""

from __future__ import annotations

import json
import stat
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import zstandard

from activity_pipeline.events.days import today
from activity_pipeline.queue.append import append_encoded
from activity_pipeline.queue.connection import LEGACY_LIST, Shard, stream_key
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.cli.conftest import Run
from activity_pipeline_tests.lines import line, lines

NOON = datetime.combine(today(), datetime.min.time(), UTC)
TORN = {b"e": zstandard.compress(b"\n".join(lines(10, 2, NOON)))[:-4], b"z": b"zstd", b"n": b"2"}


def _json(result: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert result.returncode == code, result.stderr
    return json.loads(result.stdout)


@pytest.fixture
def refused(run: Run, running: Running) -> Running:
    """A pipeline with four dead letters: an odd status, a strange field, torn JSON and a torn frame."""
    running.send(
        line(0, NOON, status="odd"), line(1, NOON, colour="red"), b'{"so\x1b[31m\xe2\x80\xae', line(2, NOON)
    )
    append_encoded(running.queue, Shard(0), [TORN])
    running.drain(allowed_statuses="success,failed")
    return running


def test_a_list_escapes_what_a_terminal_must_not_see(run: Run, refused: Running) -> None:
    listed = _json(run("dead-letters", "list", "--json"))
    assert {(row["reason"], row["events"]) for row in listed["reasons"]} == {
        ("not_allowed", 1),
        ("unknown_field", 1),
        ("not_json", 1),
        ("frame_unreadable", 2),
    }
    assert [row["producer"] for row in listed["dead_letters"]] == ["", "test", "test", "test"]
    shown = run("dead-letters", "list").stdout
    assert "\x1b" not in shown
    assert "\\x1b[31m\\u202e" in shown
    (one,) = _json(run("dead-letters", "list", "--reason", "not_json", "--limit", "9", "--json"))[
        "dead_letters"
    ]
    shown = run("dead-letters", "show", str(one["id"])).stdout
    assert "the line is not JSON" in shown
    assert "\x1b" not in shown
    assert _json(run("dead-letters", "list", "--producer", "nobody", "--json"))["dead_letters"] == []
    assert run("dead-letters", "show", "12345").stderr == "error: there is no dead letter 12345\n"


def test_an_entry_is_shown_with_all_its_fields(run: Run, refused: Running) -> None:
    refused.queue.xadd(stream_key(Shard(0)), {"source": "shop", "action": "paid"})
    refused.drain()
    newest = _json(run("dead-letters", "list", "--json"))["dead_letters"][0]["id"]
    shown = _json(run("dead-letters", "show", str(newest), "--json"))
    assert shown["other_fields"] == {"source": "shop", "action": "paid"}


def test_a_file_of_dead_letters_is_mended_and_replayed(run: Run, refused: Running, tmp_path: Path) -> None:
    file = tmp_path / "mend.ndjson"
    assert _json(run("dead-letters", "export", str(file), "--json"))["dead_letters"] == 4
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "File exists" in run("dead-letters", "export", str(file)).stderr, "it may be half mended"
    assert run("dead-letters", "export", "-").stdout.encode() == file.read_bytes()
    letters = {letter["reason"]: letter for letter in map(json.loads, file.read_bytes().splitlines())}
    odd, strange, torn, frame = (
        letters[name] for name in ("not_allowed", "unknown_field", "not_json", "frame_unreadable")
    )
    del strange["event"]["colour"]
    torn["line"] = line(3, NOON).decode()
    frame_lines = [{"id": frame["id"], "line": text.decode()} for text in lines(10, 2, NOON)]
    unfinished = run("dead-letters", "replay", "--input", str(file))
    assert unfinished.returncode == 1
    assert "is a queue entry: give its events" in unfinished.stderr
    file.write_text("\n".join(map(json.dumps, [strange, torn, *frame_lines])))
    report = _json(run("dead-letters", "replay", "--input", str(file), "--json"))
    assert (report["replayed"], report["inserted"], report["stay_open"]) == (3, 4, 0)
    again = _json(run("dead-letters", "replay", "--input", str(file), "--json"), code=1)
    assert (again["replayed"], len(again["not_open"])) == (0, 3)
    report = _json(run("dead-letters", "replay", str(odd["id"]), "--json"))
    assert (report["replayed"], report["inserted"]) == (1, 1)
    assert _json(run("ledger", "--json"))["residual"] == 0
    assert len(refused.ids()) == 6
    closed = _json(run("dead-letters", "list", "--state", "replayed", "--json"))["dead_letters"]
    assert len(closed) == 4


def test_what_stays_open_is_said_and_exits_1(run: Run, refused: Running) -> None:
    result = run("dead-letters", "replay", "--reason", "not_json", "--reason", "unknown_field")
    assert result.returncode == 1
    assert "a field that no event has" in result.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "line 1 is not a mended dead letter"),
        ('{"id":1}', "one of event, line and line_base64"),
        ('{"id":1,"event":{},"line":"{}"}', "one of event, line and line_base64"),
        ('{"id":1,"evnet":{}}', "unknown field"),
        ('{"id":1,"line":"{}\\n{}"}', "holds no newline"),
        ('{"id":1,"line":"{}"}\n{"id":2,"line":"{}"}\n{"id":1,"line":"{}"}', "comes up twice"),
    ],
)
def test_a_file_that_is_not_a_mended_one_is_refused(run: Run, tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "mend.ndjson"
    file.write_text(text)
    result = run("dead-letters", "replay", "--input", str(file))
    assert result.returncode == 1
    assert said in result.stderr


def test_reasons_are_listed(run: Run) -> None:
    assert {row["reason"] for row in _json(run("dead-letters", "reasons", "--json"))} >= {
        "not_json",
        "bad_id",
    }


def test_the_queue_shows_what_waits(run: Run, running: Running) -> None:
    running.send(*lines(0, 5, NOON))
    running.drain()
    for start in (5, 10, 15):
        running.send(*lines(start, 5, NOON), sequence=start)
    running.queue.xadd(stream_key(Shard(0)), {"e": line(20, NOON)})
    running.queue.lpush(LEGACY_LIST, line(21, NOON))
    shown = _json(run("queue", "--json"))
    (stream,) = shown["streams"]
    assert (stream["waiting_entries"], stream["waiting_events"], stream["is_rewound"]) == (4, 16, False)
    assert 0 < stream["oldest_s"] < 60
    assert shown["legacy_events"] == 1
    assert shown["health"]["append_only"] is True
    assert "noeviction" in run("queue").stdout
    figures = {finding["subject"]: finding["figures"] for finding in _json(run("doctor", "--json"))}
    assert figures["offsets"]["waiting_events"] == 16


def test_the_queue_is_shown_without_postgres(
    run: Run, running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACTIVITY_POSTGRES_DSN", "postgresql://activity@/nowhere?host=/nonexistent")
    running.send(*lines(0, 5, NOON))
    shown = _json(run("queue", "--json"), code=1)
    assert shown["streams"][0]["waiting_events"] == 5
    assert "does not answer" in shown["postgres"]


def test_a_redis_that_is_nearly_full_is_warned_of(run: Run, running: Running) -> None:
    used = running.queue.info("memory")["used_memory"]
    running.queue.config_set("maxmemory", int(used * 1.1))
    try:
        for command in ("queue", "doctor"):
            assert "producers will spool soon" in run(command).stdout
        assert "producers will spool soon" in run("drain").stderr
    finally:
        running.queue.config_set("maxmemory", 0)


def test_a_stream_that_lost_its_tail_is_not_trusted(run: Run, running: Running) -> None:
    running.send(*lines(0, 5, NOON))
    running.drain()
    running.queue.delete(stream_key(Shard(0)))
    assert _json(run("queue", "--json"), code=1)["streams"][0]["is_rewound"] is True
    doctor = run("doctor")
    assert doctor.returncode == 1
    assert "then drain again" in doctor.stdout


def test_the_ledger_by_producer_and_by_day(run: Run, running: Running) -> None:
    running.send(*lines(0, 5, NOON), b"{", producer="gappy", sequence=7)
    dropping = {b"e": b"", b"p": b"full", b"s": b"4", b"n": b"0", b"d": b'{"buffer_full":4}'}
    append_encoded(running.queue, Shard(0), [dropping])
    running.drain()
    producers = {
        row["producer_id"]: row
        for row in _json(run("ledger", "--by", "producer", "--json"), code=1)["producers"]
    }
    gappy, full = producers["gappy"], producers["full"]
    assert (gappy["missing"], gappy["missing_ranges"], gappy["dead_lettered"]) == (7, "{[0,7)}", 1)
    assert (full["dropped"], full["drop_reasons"]) == (4, {"buffer_full": 4})
    (day,) = _json(run("ledger", "--by", "day", "--json"), code=1)["days"]
    assert (day["arrived"], day["inserted"], day["hot"], day["dead_lettered"]) == (6, 5, 5, 1)
    assert day["difference"] == 0
    assert "buffer_full" in run("ledger", "--by", "producer").stdout
    assert run("ledger", "--days", "2026-03-01").returncode == 2
