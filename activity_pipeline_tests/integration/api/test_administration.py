"""What administrators change over HTTP: restored days, replayed dead letters."""

from __future__ import annotations

import msgspec
import pytest

from activity_pipeline.archive import ArchiveStore
from activity_pipeline.events.days import today
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.lines import line

from .conftest import Api, bearer, now, serving

REFUSED = line(1, now(), source="elsewhere")


@pytest.fixture
def cold(running: Running) -> Cold:
    return Cold(running)


def changes(api: Api) -> list[str]:
    """Drain; return the actions of what was changed, in order."""
    api.running.drain()
    rows = api.running.statements.execute(
        "select action from activity_logs where source = 'activity_api' and action <> 'api.read' "
        "order by timestamp"
    )
    return [row[0] for row in rows]


def test_a_day_is_restored_kept_for_longer_and_given_back(api: Api, cold: Cold) -> None:
    day = cold.day(3)
    ids = cold.send_hot(day, 20)
    cold.archive()
    assert not api.running.ids() & dict.fromkeys(ids, 1).keys()
    path = f"/api/v1/days/{day}/restore"
    first = api.client.post(path, json={"hours": 2})
    assert first.status_code == 200, first.text
    assert (first.json()["rows"], first.json()["extended"]) == (20, False)
    assert api.running.ids().keys() >= set(ids)
    longer = api.client.post(path, json={"hours": 4}).json()
    assert longer["extended"]
    assert longer["until"] > first.json()["until"]
    assert api.client.delete(path).status_code == 204
    assert api.client.delete(path).status_code == 404
    assert changes(api) == ["api.day_restored", "api.day_restored", "api.day_given_back"]
    assert api.running.ledger().residual == 0


def test_what_is_not_archived_is_not_restored(api: Api, cold: Cold) -> None:
    cold.send(today())
    for day, status in ((today(), 404), ("2001-01-01", 404), ("yesterday", 422)):
        assert api.client.post(f"/api/v1/days/{day}/restore", json={}).status_code == status


def test_a_day_whose_files_are_gone_is_a_conflict(api: Api, cold: Cold) -> None:
    day = cold.day(1)
    cold.send_hot(day)
    cold.archive()
    store = ArchiveStore(api.settings.archive_root)
    for path in store.find(""):
        if path.endswith(".parquet"):
            store.remove(path)
    answer = api.client.post(f"/api/v1/days/{day}/restore", json={})
    assert answer.status_code == 409
    assert answer.json()["type"].endswith(":conflict")


def test_dead_letters_are_listed_shown_and_replayed(running: Running) -> None:
    strict = msgspec.structs.replace(running.settings, allowed_sources="shop")
    running.send(REFUSED, b"no JSON at all")
    running.drain(allowed_sources=strict.allowed_sources)
    with serving(running, api_keyless=True) as api:
        listed = api.get("/dead-letters").json()
        assert {each["reason"]: each["letters"] for each in listed["reasons"]} == {
            "not_allowed": 1,
            "not_json": 1,
        }
        by_reason = {each["reason"]: each["id"] for each in listed["items"]}
        alone = api.get("/dead-letters", reason="not_json").json()["items"]
        assert [each["line"] for each in alone] == ["no JSON at all"]
        assert api.get(f"/dead-letters/{by_reason['not_allowed']}").json()["line"] == REFUSED.decode()
        assert api.get("/dead-letters/0").status_code == 404
        # One passes by today's rules, the other never will.
        replayed = api.client.post("/api/v1/dead-letters/replay", json={}).json()
        assert (replayed["replayed"], replayed["inserted"]) == (1, 1)
        assert replayed["refused"] == {str(by_reason["not_json"]): "not_json"}
        again = api.client.post("/api/v1/dead-letters/replay", json={"ids": [by_reason["not_allowed"]]})
        assert again.json()["not_open"] == [by_reason["not_allowed"]]
        assert changes(api) == ["api.dead_letters_replayed"] * 2
        assert running.ledger().residual == 0


def test_only_administrators_of_everything_do_it(closed: Api) -> None:
    keys = {
        "reader": closed.key("read"),
        "writer": closed.key("write"),
        "restricted": closed.key("admin", sources=["shop"]),
    }
    for key in keys.values():
        for path in ("/days/2020-01-01/restore", "/dead-letters/replay"):
            answer = closed.client.post(f"/api/v1{path}", json={}, headers=bearer(key))
            assert answer.status_code == 403
        assert closed.get("/dead-letters", key).status_code == 403
    assert closed.get("/dead-letters", closed.key("admin")).status_code == 200


def test_anomalies_are_acknowledged_and_muted(api: Api) -> None:
    api.running.statements.execute(
        "insert into activity_anomalies_daily (date, kind, source, action, observed, expected, lower, upper, "
        "p_value, severity, sentence) values (%s, 'spike', 'shop', 'order.paid', 90, 10, 5, 20, 0.001, "
        "'warning', 'more than usual')",
        [today()],
    )
    (found,) = api.get("/anomalies").json()["rows"]
    assert found["acknowledged_by"] is found["muted_until"] is None
    which = {"date": today().isoformat(), "source": "shop", "action": "order.paid", "kind": "spike"}
    post = api.client.post
    assert post("/api/v1/anomalies/acknowledge", json={**which, "note": "a sale"}).json() == {
        "acknowledged": 1
    }
    assert post("/api/v1/anomalies/acknowledge", json={**which, "source": "none"}).status_code == 404
    muted = {"source": "shop", "until": "2999-01-01T00:00:00Z", "reason": "sales week"}
    assert post("/api/v1/anomalies/mute", json=muted).json()["by"] == "loopback"
    assert post("/api/v1/anomalies/mute", json={**muted, "until": "2020-01-01T00:00:00Z"}).status_code == 422
    (found,) = api.get("/anomalies").json()["rows"]
    assert (found["acknowledged_by"], found["note"]) == ("loopback", "a sale")
    assert found["muted_until"].startswith("2999")
    assert changes(api) == ["api.anomalies_acknowledged", "api.anomalies_muted"]


def test_volume_and_rankings_add_up(api: Api, cold: Cold) -> None:
    running = api.running
    cold.send(today(), 24)
    cold.send_hot(cold.day(-1), 12)
    refresh_metrics(running.statements, running.bulk, running.store, [today(), cold.day(-1)])
    for step, steps in (("day", 2), ("hour", 24)):
        volume = api.get("/metrics/volume", step=step).json()["steps"]
        assert len(volume) >= steps
        assert sum(each["events"] for each in volume) == 36
        assert sum(each["failures"] for each in volume) == 9
    one = api.get(
        "/metrics/volume", source=["shop0", "shop1"], action_prefix="order.", status="failed"
    ).json()
    assert sum(each["events"] for each in one["steps"]) == sum(each["failures"] for each in one["steps"]) == 6
    for of, rows in (("sources", 3), ("actions", 5), ("failing_actions", 5), ("users", 10)):
        ranks = api.get("/metrics/ranking", of=of).json()
        assert len(ranks) == rows
        counts = [each["failures" if of == "failing_actions" else "events"] for each in ranks]
        assert counts == sorted(counts, reverse=True)
    assert [
        each["name"] for each in api.get("/metrics/ranking", of="actions", source="shop1", limit=2).json()
    ]
