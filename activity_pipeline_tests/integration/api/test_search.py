"""Activities over HTTP: pages, one of them, counts, facets, exports, and what a key may see of them."""

from __future__ import annotations

import csv
import io
import json
import socket
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
import pytest

from activity_pipeline.events.days import today
from activity_pipeline.events.ids import new_id
from activity_pipeline.hot.connection import connect
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.lines import event, line
from activity_pipeline_tests.waiting import wait_for

from .conftest import Api, now

COUNT = 60


@pytest.fixture
def stocked(api: Api) -> Api:
    """An API over 40 hot events and 20 archived ones."""
    cold = Cold(api.running)
    cold.send_hot(cold.day(1), 20)
    cold.archive()
    cold.send(today(), 40)
    return api


def walk(api: Api, key: str | None = None, **asked: Any) -> list[dict[str, Any]]:
    """Return the events of all pages."""
    found: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = api.get("/activities", key, **asked, **({"cursor": cursor} if cursor else {})).json()
        found += page["events"]
        cursor = page["next"]
        if cursor is None:
            return found


def test_pages_counts_facets_and_neighbours(stocked: Api) -> None:
    events = walk(stocked, limit=7)
    assert [each["timestamp"] for each in events] == sorted(
        (each["timestamp"] for each in events), reverse=True
    )
    assert len({each["id"] for each in events}) == len(events) == COUNT
    assert walk(stocked, limit=50, order="oldest") == events[::-1]
    failed = [each for each in events if each["status"] == "failed"]
    assert walk(stocked, status="failed") == failed
    assert walk(stocked, source=["shop0", "shop1"], metadata='{"number": 3}') == [
        each for each in events if each["metadata"]["number"] == 3
    ]
    count = stocked.get("/activities/count", status="failed").json()
    assert (count["value"], count["relation"]) == (len(failed), "eq")
    facets = stocked.get("/facets").json()
    assert facets["facets"]["status"] == [
        {"value": "success", "count": COUNT - len(failed)},
        {"value": "failed", "count": len(failed)},
    ]
    one = events[30]
    assert stocked.get(f"/activities/{one['id']}").json() == one
    near = stocked.get(f"/activities/{one['id']}/neighbours", limit=2).json()
    same = [each for each in events[::-1] if each["user_id"] == one["user_id"]]
    at = same.index(one)
    assert near["event"] == one
    assert near["user"] == {"before": same[max(0, at - 2) : at], "after": same[at + 1 : at + 3]}
    assert stocked.get(f"/activities/{UUID(int=5)}").status_code == 404
    assert stocked.get("/activities", within="1d", limit=1).status_code == 200
    asked = [stocked.get("/activities", until=f"{today()}T00:00:00Z").json() for _ in range(2)]
    assert [each["cache"] for each in asked] == ["miss", "hit"]
    assert asked[0]["events"] == asked[1]["events"]
    assert 'activity_api_answers_total{cache="hit"}' in stocked.client.get("/metrics").text


def test_an_answer_says_how_complete_it_is(stocked: Api) -> None:
    def said() -> dict[str, Any]:
        completeness: dict[str, Any] = stocked.get("/activities", source="shop1").json()["completeness"]
        return completeness

    wait_for("ledger and queue", lambda: said()["ledger_residual"] == 0 and said()["queue"] is not None)
    assert {**said(), "queue": 0, "ledger_at": 0, "stale": []} == {
        "first": str(Cold(stocked.running).day(1)),
        "last": str(today()),
        "days": 2,
        "read_days": 2,
        "missing": [],
        "stale": [],
        "queue": 0,
        "ledger_residual": 0,
        "ledger_at": 0,
    }


def test_an_event_is_found_by_when_its_id_was_made(api: Api) -> None:
    made = new_id()
    api.running.send(line(0, now(), id=made))
    api.running.drain()
    found = api.get(f"/activities/{made}").json()
    assert found["id"] == made
    assert api.get(f"/activities/{made}", timestamp=found["timestamp"]).json() == found
    assert api.get(f"/activities/{made}", timestamp="2026-01-01T00:00:00Z").status_code == 404


@pytest.mark.parametrize("kind", ["ndjson", "csv", "parquet"])
def test_exports_are_whole(stocked: Api, kind: str) -> None:
    answer = stocked.get("/activities/export", format=kind, source="shop1")
    assert answer.status_code == 200
    wanted = walk(stocked, source="shop1", order="oldest")
    if kind == "ndjson":
        assert [json.loads(each) for each in answer.text.splitlines()] == wanted
    elif kind == "csv":
        rows = list(csv.DictReader(io.StringIO(answer.text)))
        assert [row["id"] for row in rows] == [each["id"] for each in wanted]
        assert [json.loads(row["metadata"]) for row in rows] == [each["metadata"] for each in wanted]
    else:
        table = pq.read_table(io.BytesIO(answer.content))
        assert [str(each) for each in table["id"].to_pylist()] == [each["id"] for each in wanted]
        assert table["action"].to_pylist() == [each["action"] for each in wanted]


def test_an_export_of_nothing(api: Api) -> None:
    assert api.get("/activities/export").text == ""
    assert api.get("/activities/export", format="csv").text.startswith("id,timestamp,source")
    assert len(pq.read_table(io.BytesIO(api.get("/activities/export", format="parquet").content))) == 0


def test_a_restricted_key_sees_its_own_events_alone(closed: Api) -> None:
    user = event(3, now())["user_id"]
    closed.running.send(*(line(number, now()) for number in range(COUNT)))
    closed.running.drain()
    everything = walk(closed, closed.key())
    of_source, of_user = closed.key("read", sources=["shop1"]), closed.key("read", user_id=UUID(user))
    wanted = {
        of_source: [each for each in everything if each["source"] == "shop1"],
        of_user: [each for each in everything if each["user_id"] == user],
    }
    for key, mine in wanted.items():
        assert walk(closed, key, limit=9) == mine
        assert closed.get("/activities/count", key).json()["value"] == len(mine)
        assert sum(each["count"] for each in closed.get("/facets", key).json()["facets"]["source"]) == len(
            mine
        )
        lines = closed.get("/activities/export", key).text.splitlines()
        assert [json.loads(each) for each in lines] == mine[::-1]
        others = next(each for each in everything if each not in mine)
        assert closed.get(f"/activities/{others['id']}", key).status_code == 404
        assert closed.get(f"/activities/{others['id']}/neighbours", key).status_code == 404
        assert closed.get(f"/activities/{mine[0]['id']}", key).json() == mine[0]
        said = closed.get("/activities", key).json()["completeness"]
        assert (said["queue"], said["ledger_residual"]) == (None, None)
        # Asking for others does not help.
        assert walk(closed, key, source="shop2", user_id=str(UUID(int=4, version=4))) == []
    cursor = closed.get("/activities", of_source, limit=1).json()["next"]
    assert closed.get("/activities", of_user, cursor=cursor).status_code == 422


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"cursor": "x"}, "query.cursor"),
        ({"metadata": "[1]"}, "query.metadata"),
        ({"metadata": "{"}, "query.metadata"),
        ({"metadata": '{"a":"\\u0000"}'}, "query.metadata"),
        ({"within": "7y"}, "query.within"),
        ({"since": "2026-01-01T00:00:00"}, "query.since"),
        ({"limit": 0}, "query.limit"),
        ({"colour": "red"}, "query.colour"),
    ],
)
def test_what_is_wrong_is_named(api: Api, asked: dict[str, Any], field: str) -> None:
    answer = api.get("/activities", **asked)
    assert answer.status_code == 422
    assert [fault["where"] for fault in answer.json()["errors"]] == [field]


def test_a_client_that_leaves_ends_its_question(api: Api, running: Running) -> None:
    running.statements.execute("select activity_create_day(%s)", [today()])
    with connect(running.settings.postgres_dsn) as other, other.transaction():
        # Whoever reads events waits for this.
        other.execute("lock table activity_logs_late in access exclusive mode")
        with socket.create_connection(("127.0.0.1", api.port)) as client:
            client.sendall(b"GET /api/v1/activities HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
            wait_for("the question", lambda: _waiting(running) == 1)
        wait_for("its end", lambda: _waiting(running) == 0)
    assert api.get("/activities").status_code == 200


def _waiting(running: Running) -> int:
    row = running.statements.execute(
        "select count(*) from pg_locks l join pg_class c on c.oid = l.relation "
        "where not l.granted and c.relname = 'activity_logs_late' "
        "and l.database = (select oid from pg_database where datname = current_database())"
    ).fetchone()
    assert row is not None
    return int(row[0])
