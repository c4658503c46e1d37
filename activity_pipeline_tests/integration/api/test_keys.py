"""Who gets in: keys from their making to their end, what they are restricted to, how often they may ask."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from activity_pipeline.api import backends
from activity_pipeline.api.keys import KeyRing, make_key
from activity_pipeline.hot.api_keys import ApiKey
from activity_pipeline.hot.connection import connect
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.cli.conftest import Run, run  # noqa: F401 a fixture
from activity_pipeline_tests.lines import event
from activity_pipeline_tests.waiting import wait_for

from .conftest import Api, bearer, new_key, now, serving

SHE = UUID(int=7, version=4)
READS = ["/ledger", "/ledger/producers", "/ledger/days", "/days", "/status", "/metrics/daily", "/anomalies"]


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the keys often, so that no test waits for it."""
    monkeypatch.setattr(backends, "REFRESH_S", 0.05)


def test_without_a_key_nothing_but_what_machines_ask(closed: Api) -> None:
    for path in READS:
        answer = closed.get(path)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert answer.json()["type"] == "urn:activity-pipeline:problem:key-required"
    assert closed.post({"source": "s", "action": "a"}).status_code == 401
    assert closed.client.get("/metrics").status_code == 401
    assert closed.client.get("/healthz").status_code == 204
    assert closed.client.get("/readyz").json() == {"postgres": True, "redis": True, "migrated": True}
    assert closed.client.get("/api/v1/openapi.json").json()["openapi"].startswith("3.1")
    assert closed.reads() == []


def test_a_key_from_its_making_to_its_end(closed: Api, run: Run) -> None:  # noqa: F811
    made = json.loads(run("keys", "create", "--name", "shop", "--scope", "read", "--json").stdout)
    key, prefix = made.pop("key"), made["prefix"]
    assert key.startswith(f"act_{prefix}_")
    assert (made["scopes"], made["expires_at"], made["last_used_at"]) == ("read", None, None)
    assert closed.get("/days", key).status_code == 200

    def used() -> Any:
        (row,) = json.loads(run("keys", "list", "--json").stdout)
        return row["last_used_at"]

    wait_for("the use to be noted", used)
    first = used()
    assert closed.get("/days", key).status_code == 200
    assert key not in run("keys", "list").stdout
    revoked = run("keys", "revoke", prefix)
    assert revoked.stdout == f"{prefix} (shop) is revoked\n"
    wait_for("the end of the key", lambda: closed.get("/days", key).status_code == 401)
    assert run("keys", "list").stdout == "0 keys: none\n"
    (row,) = json.loads(run("keys", "list", "--all", "--json").stdout)
    assert row["revoked_at"] is not None
    assert row["last_used_at"] == first  # a minute has not passed
    stored = closed.running.statements.execute("select t::text from activity_api_keys t").fetchall()
    assert key.rpartition("_")[2] not in str(stored)


def test_what_the_command_line_says_of_mistakes(run: Run) -> None:  # noqa: F811
    assert run("keys", "revoke", "000000000000").stderr == (
        "error: there is no key with the prefix 000000000000\n"
    )
    for arguments, said in [
        (["--scope", "root"], "'root' is not one of"),
        (["--rate", "0"], "0 is not in the range"),
        (["--expires", "0"], "that key would open nothing"),
        (["--user", "me"], "'me' is not a valid UUID"),
    ]:
        failed = run("keys", "create", "--name", "x", *arguments)
        assert failed.returncode == 2
        assert said in failed.stderr
    shown = run("keys", "create", "--name", "x", "--expires", "1d", "--source", "a", "--source", "b").stdout
    assert "act_" in shown
    assert "a, b" in shown


def test_a_key_that_has_expired_opens_nothing(closed: Api) -> None:
    key = closed.key(expires_at=now() + timedelta(seconds=1))
    assert closed.get("/days", key).status_code == 200
    wait_for("the end of the key", lambda: closed.get("/days", key).status_code == 401)


NO_KEYS = [
    "x",
    "act_",
    "act_000000000000_" + "A" * 43,
    "act_000000000000_" + "A" * 42 + "é",
    "a" * 5000,
    "a b",
]


def test_what_is_no_key_is_refused_alike(closed: Api) -> None:
    good = closed.key()
    last = "A" if good[-1] != "A" else "B"
    for wrong in (*NO_KEYS, good[:-1] + last, good.upper(), f"{good}A"):
        headers = {b"authorization": f"Bearer {wrong}".encode("latin-1")}
        assert closed.client.get("/api/v1/days", headers=headers).status_code == 401, wrong
    for value in (f"Basic {good}", good):
        assert closed.client.get("/api/v1/days", headers={"authorization": value}).status_code == 401
    assert closed.get("/days", good).status_code == 200


def test_scopes(closed: Api) -> None:
    reads, writes, both = closed.key("read"), closed.key("write"), closed.key("admin")
    sent = {"source": "s", "action": "a"}
    assert closed.get("/days", reads).status_code == closed.get("/days", both).status_code == 200
    assert closed.post(sent, writes).status_code == closed.post(sent, both).status_code == 202
    for refused in (closed.get("/days", writes), closed.post(sent, reads)):
        assert refused.status_code == 403
        assert refused.json()["type"] == "urn:activity-pipeline:problem:not-allowed"


def test_a_key_of_some_sources(closed: Api) -> None:
    key = closed.key(sources=["shop1", "shop2"])
    lines = [event(number, now()) for number in range(6)]
    answer = closed.post(lines, key).json()
    assert [verdict["verdict"] for verdict in answer["verdicts"]] == ["rejected", "accepted", "accepted"] * 2
    assert answer["verdicts"][0]["reason"] == "not_allowed"
    assert answer["verdicts"][0]["detail"] == "the key is not for this source"
    for path in ("/ledger", "/ledger/days", "/days", "/status"):
        assert closed.get(path, key).status_code == 403
    assert closed.client.get("/metrics", headers=bearer(key)).status_code == 403
    closed.running.statements.execute(
        "insert into activity_metrics_daily "
        "select current_date, 'shop' || n, 'a', 'success', 1, 1, 1, now(), now() from generate_series(0, 3) n"
    )
    assert [row["source"] for row in closed.get("/metrics/daily", key).json()["rows"]] == ["shop1", "shop2"]
    assert closed.get("/metrics/daily", key, source="shop3").json() == {"rows": [], "total": 0}
    assert closed.get("/anomalies", key).json() == {"rows": [], "total": 0}


def test_a_key_of_one_user(closed: Api) -> None:
    key = closed.key(user_id=SHE)
    line = {"source": "s", "action": "a"}
    lines = [line, {**line, "user_id": str(SHE)}, {**line, "userId": None}, {**line, "userId": str(SHE.int)}]
    lines.append({**line, "user_id": str(UUID(int=8, version=4))})
    answer = closed.post(lines, key).json()
    verdicts = [verdict["verdict"] for verdict in answer["verdicts"]]
    assert verdicts == ["accepted"] * 3 + ["rejected"] * 2
    assert [verdict.get("reason") for verdict in answer["verdicts"][3:]] == ["bad_user_id", "not_allowed"]
    closed.running.drain()
    stored = closed.running.statements.execute("select user_id from activity_logs where source = 's'")
    assert stored.fetchall() == [(SHE,)] * 3
    for path in READS:
        assert closed.get(path, key).status_code == 403


def test_a_key_that_asks_too_often_waits(closed: Api) -> None:
    key, other = closed.key(requests_per_s=0.5, burst=3), closed.key()
    answers = [closed.get("/days", key) for _ in range(5)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 3
    assert answers[-1].json()["detail"] == "The key may send 0.5 requests a second, 3 at once."
    assert closed.get("/days", other).status_code == 200


def test_on_this_machine_none_is_needed_where_it_was_said_so(api: Api) -> None:
    assert api.get("/days").status_code == 200
    assert api.get("/days", "act_unknown").status_code == 401  # a wrong key is not better than none
    port = api.port
    for name in (f"localhost:{port}", "[::1]", "127.0.0.1"):
        assert api.client.get("/api/v1/days", headers={"host": name}).status_code == 200
    elsewhere: list[dict[str, str]] = [
        {"x-forwarded-for": "127.0.0.1"},
        {"forwarded": "for=127.0.0.1"},
        {"via": "1.1 proxy"},
        {"host": "rebound.example"},
        {"host": "127.0.0.1.rebound.example"},
        {"host": "[::1"},
        {"origin": "https://elsewhere.example"},
        {"origin": "null"},
    ]
    for headers in elsewhere:
        assert api.client.get("/api/v1/days", headers=headers).status_code == 401, headers
    same = {"origin": f"http://127.0.0.1:{port}"}
    assert api.client.get("/api/v1/days", headers=same).status_code == 200


def test_keys_are_believed_for_a_while_when_postgres_is_away(
    running: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backends, "CONNECTION_WAIT_S", 0.3)
    dsn = running.settings.postgres_dsn
    name = dsn.partition("?")[0].rpartition("/")[2]
    text, _ = new_key(running.statements, "write")
    with serving(running) as api, connect(dsn.replace(name, "postgres", 1)) as admin:
        assert api.post({"source": "s", "action": "a"}, text).status_code == 202
        admin.execute(f"alter database {name} with allow_connections false")
        admin.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [name])
        try:
            assert api.post({"source": "s", "action": "b"}, text).status_code == 202
            ready = api.client.get("/readyz")
            assert ready.status_code == 503
            assert (ready.json()["postgres"], ready.json()["redis"]) == (False, True)
            monkeypatch.setattr("activity_pipeline.api.callers.STALE_S", 0.0)
            assert api.post({"source": "s", "action": "c"}, text).status_code == 503
        finally:
            admin.execute(f"alter database {name} with allow_connections true")
        wait_for("Postgres", lambda: api.client.get("/readyz").status_code == 200)


def test_the_ring_notes_use_once_a_minute_and_takes_the_same_way_for_unknown_keys() -> None:
    at = 0.0
    ring = KeyRing(lambda: at)
    assert ring.age_s == float("inf")
    secret = make_key()
    assert ring.find(secret.text) is None
    assert not ring.knows(secret.text)
    row = ApiKey(
        prefix=secret.prefix,
        name="",
        secret_sha256=secret.sha256,
        scopes=["read"],
        requests_per_s=1,
        burst=1,
        created_by="",
        created_at=now(),
        revoked_at=None,
        last_used_at=None,
    )
    ring.put([row])
    uses = []
    for at in (0.0, 1.0, 59.0, 61.0, 62.0, 200.0):  # noqa: B007 the clock reads it
        assert ring.find(secret.text) is row
        uses.append(ring.take_used())
    assert uses == [[secret.prefix], [], [], [secret.prefix], [], [secret.prefix]]
    assert repr(secret).find(secret.text) == -1


def test_a_key_that_was_just_made_is_looked_up(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backends, "REFRESH_S", 600)
    with serving(running) as api:
        for _ in range(3):
            assert api.get("/days", api.key()).status_code == 200
