"""Events that come in over HTTP: the same verdicts as the drain's, stored once, kept before it is said so."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from activity_pipeline.api import backends, intake
from activity_pipeline.api.judging import judge_lines
from activity_pipeline.events.ids import new_id
from activity_pipeline.events.model import DeadLetterReason, Rules
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.lines import BROKEN_LINES, REFUSED_BY_POSTGRES, RULES, event, line

from .conftest import Api, now, serving

NDJSON = "application/x-ndjson"


def stored(api: Api) -> list[dict[str, Any]]:
    """Drain, and return what is stored but for reads, in order of time."""
    api.running.drain()
    rows = api.running.statements.execute(
        "select to_jsonb(l) from activity_logs l where action <> 'api.read' order by timestamp, id"
    )
    return [row[0] for row in rows]


def test_one_an_array_and_lines(api: Api) -> None:
    at = now()
    assert api.post(event(1, at)).json()["accepted"] == 1
    assert api.post([event(number, at) for number in (2, 3)]).json()["accepted"] == 2
    body = b"\n".join([line(4, at), b" ", line(5, at), b"", b""])
    answer = api.post(body, media_type=f"{NDJSON}; charset=utf-8")
    assert answer.status_code == 202
    assert [verdict["line"] for verdict in answer.json()["verdicts"]] == [0, 1]
    assert [row["metadata"]["number"] for row in stored(api)] == [1, 2, 3, 4, 5]
    assert api.running.ledger().residual == 0


def test_what_is_absent_is_made_and_told(api: Api) -> None:
    before = now()
    answer = api.post({"source": "s", "action": "a", "id": None, "timestamp": None, "metadata": {"a": 1}})
    (verdict,) = answer.json()["verdicts"]
    (row,) = stored(api)
    assert row["id"] == verdict["id"]
    assert datetime.fromisoformat(row["timestamp"]) == datetime.fromisoformat(verdict["timestamp"])
    assert before <= datetime.fromisoformat(verdict["timestamp"]) <= now()
    assert UUID(verdict["id"]).version == 7


def test_the_same_event_twice_is_stored_once(api: Api) -> None:
    at = now()
    first = api.post({"source": "s", "action": "made"}).json()["verdicts"][0]
    again = {"source": "s", "action": "made", "id": first["id"], "timestamp": first["timestamp"]}
    assert api.post(again).status_code == 202
    for _ in range(3):
        assert api.post(event(1, at)).status_code == 202
    bare = {"source": "s", "action": "bare", "id": new_id()}
    for _ in range(2):
        assert api.post(bare).status_code == 202
    assert len(stored(api)) == 3
    assert api.running.ledger().duplicate == 4


def test_an_id_without_a_time_needs_a_timestamp(api: Api) -> None:
    bare = {"source": "s", "action": "a", "id": str(uuid4())}
    refused = api.post(bare)
    assert refused.status_code == 422
    (verdict,) = refused.json()["verdicts"]
    assert verdict["reason"] == "missing_field"
    assert "needs a timestamp" in verdict["detail"]
    assert api.post({**bare, "timestamp": now().isoformat()}).status_code == 202


def test_ids_of_other_times_are_held_against_the_rules_of_timestamps(api: Api) -> None:
    ahead = int((now() + timedelta(days=3)).timestamp() * 1000)
    for milliseconds, reason in (
        (ahead, "timestamp_ahead"),
        (5, "timestamp_too_old"),
        (2**48 - 1, "timestamp_ahead"),
    ):
        event_id = str(UUID(int=(milliseconds << 80) | (7 << 76) | (2 << 62)))
        refused = api.post({"source": "s", "action": "a", "id": event_id})
        assert refused.json()["verdicts"][0]["reason"] == reason


def test_values_stay_as_they_were_sent(api: Api) -> None:
    metadata = b'{"n": 1.50, "big": 12345678901234567890,\n "t": "a\\nb"}'
    body = b'{\n "source": "s",\r\n "action": "a",\n "details": ' + metadata + b"\n}"
    assert api.post(body).status_code == 202
    api.running.drain()
    row = api.running.statements.execute(
        "select metadata::text from activity_logs where source = 's'"
    ).fetchone()
    assert row == ('{"n": 1.50, "t": "a\\nb", "big": 12345678901234567890}',)


@pytest.mark.parametrize("reason", [reason for reason in BROKEN_LINES if reason not in REFUSED_BY_POSTGRES])
def test_the_verdict_is_the_drains(reason: DeadLetterReason) -> None:
    came = [(broken, now()) for broken in BROKEN_LINES[reason]]
    assert [judged.reason for judged in judge_lines(came, RULES)] == [reason] * len(came)


def test_what_postgres_would_refuse_is_most_often_known_before(api: Api) -> None:
    came = [(broken, now()) for broken in BROKEN_LINES[DeadLetterReason.METADATA_REFUSED]]
    judged = [each.reason for each in judge_lines(came, Rules())]
    assert set(judged) == {DeadLetterReason.METADATA_REFUSED}
    assert stored(api) == []


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "id": st.uuids().map(str) | st.text(max_size=4) | st.none(),
        "timestamp": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat) | JSON_VALUES,
        "source": st.text(max_size=70) | JSON_VALUES,
        "action": st.text(max_size=4) | JSON_VALUES,
        "user_id": st.uuids().map(str) | JSON_VALUES,
        "metadata": st.dictionaries(st.text(max_size=4), JSON_VALUES, max_size=3) | JSON_VALUES,
        "odd": st.none(),
    },
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(FIELDS, min_size=1, max_size=20))
def test_what_is_accepted_is_stored(api: Api, lines: list[dict[str, Any]]) -> None:
    before = api.running.ledger()
    body = b"\n".join(json.dumps(each).encode() for each in lines)
    answer = api.post(body, media_type=NDJSON)
    said = answer.json()
    assert answer.status_code == (202 if said["accepted"] else 422)
    assert said["accepted"] + said["rejected"] == len(lines)
    api.running.drain()
    after = api.running.ledger()
    assert after.received - before.received == said["accepted"]
    assert after.dead_lettered == before.dead_lettered
    assert after.residual == 0


BODIES = [
    (b"", "application/json", 400),
    (b" \n", "application/json", 400),
    (b"[]", "application/json", 400),
    (b"{", "application/json", 400),
    (b'{"source":"s","action":"a"} {}', "application/json", 400),
    (b'[{"source":"s","action":"a"},]', "application/json", 400),
    (b"[" * 100_000, "application/json", 400),
    (b'{"a":' * 100_000, "application/json", 400),
    (b"\n\n", NDJSON, 400),
    (b"{}\n" * 10_001, NDJSON, 413),
    (b"null", "application/json", 422),
    (b"\xff\xfe", "application/json", 400),
    (b"\xff\xfe", NDJSON, 422),
    (b"{}", "text/plain", 415),
    (b"{}", "", 415),
    (b"a=b", "application/x-www-form-urlencoded", 415),
]


def test_bodies_that_hold_no_events(api: Api) -> None:
    for body, media_type, status in BODIES:
        answer = api.post(body, media_type=media_type)
        assert answer.status_code == status, (body[:40], media_type, answer.text)
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_compressed_body_is_refused(api: Api) -> None:
    answer = api.post(b"{}", **{"content-encoding": "gzip"})
    assert answer.status_code == 415


def test_many_at_once_are_judged_together(api: Api) -> None:
    at = now()
    body = b"\n".join(line(number, at + timedelta(microseconds=number)) for number in range(10_000))
    answer = api.post(body, media_type=NDJSON)
    assert answer.json()["accepted"] == 10_000
    assert len(stored(api)) == 10_000
    assert api.running.ledger().residual == 0


def test_while_redis_is_away_the_disk_has_them(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "CLOSE_TIMEOUT_S", 0.1)
    nowhere = f"unix://{running.settings.state_path}/nobody-listens"
    with serving(running, api_keyless=True, redis_url=nowhere) as api:
        answer = api.post(event(1, now()))
        assert answer.status_code == 202
        assert list(running.settings.spool_path.glob("*.spool"))
        assert api.client.get("/readyz").json()["redis"] is False
        status = api.get("/status").json()
        assert (status["queue"], status["residual"]) == (None, 0)


def test_where_neither_takes_them_the_answer_says_so(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "CLOSE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(intake, "KEEP_TIMEOUT_S", 0.5)
    nowhere = f"unix://{running.settings.state_path}/nobody-listens"
    with serving(running, api_keyless=True, redis_url=nowhere, spool_bytes=0) as api:
        answer = api.post([{"source": "s", "action": "a"}, {"action": 1}])
    assert answer.status_code == 503
    said = answer.json()
    assert said["type"] == "urn:activity-pipeline:problem:unavailable"
    assert (said["accepted"], said["rejected"]) == (0, 1)
    assert {"id", "timestamp"} <= set(said["verdicts"][0])  # to send it again by


def test_many_clients_at_once(api: Api) -> None:
    at = now()

    def post(number: int) -> int:
        body = event(number, at) if number % 10 else {"source": "s"}
        return api.client.post("/api/v1/activities", json=msgspec.to_builtins(body)).status_code

    with ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(post, range(100)))
    assert statuses == [202 if number % 10 else 422 for number in range(100)]
    assert len(stored(api)) == 90
