"""What the routes answer, what surrounds each answer, and the event that each read is."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from activity_pipeline.api.app import create_app
from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.recording import write_pending
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline.operations import Recorder
from activity_pipeline.settings import Settings
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.waiting import wait_for

from .conftest import Api, serving

ROUTES = {
    "DELETE /api/v1/days/{day}/restore",
    "DELETE /api/v1/session",
    "GET /api/v1/dead-letters",
    "GET /api/v1/dead-letters/{letter_id}",
    "GET /api/v1/session",
    "POST /api/v1/days/{day}/restore",
    "POST /api/v1/dead-letters/replay",
    "GET /api/v1/live",
    "GET /api/v1/metrics/ranking",
    "GET /api/v1/metrics/volume",
    "POST /api/v1/anomalies/acknowledge",
    "POST /api/v1/anomalies/mute",
    "POST /api/v1/session",
    "GET /api/v1/activities",
    "GET /api/v1/activities/count",
    "GET /api/v1/activities/export",
    "GET /api/v1/activities/{id}",
    "GET /api/v1/activities/{id}/neighbours",
    "GET /api/v1/anomalies",
    "GET /api/v1/days",
    "GET /api/v1/facets",
    "GET /api/v1/ledger",
    "GET /api/v1/legacy",
    "GET /api/v1/ledger/days",
    "GET /api/v1/ledger/producers",
    "GET /api/v1/metrics/daily",
    "GET /api/v1/status",
    "GET /healthz",
    "GET /metrics",
    "GET /readyz",
    "POST /api/v1/activities",
}

OPEN = {("/api/v1/session", "post"), ("/api/v1/session", "delete")}


def test_what_there_is_of_a_pipeline(api: Api) -> None:
    """Events in Postgres and in the archive, with metrics: looked at by every route."""
    running = api.running
    cold = Cold(running)
    cold.send(today(), 30)
    cold.send_hot(cold.day(1), 20)
    cold.archive()
    running.send(b"{broken", producer="other")
    running.drain()
    refresh_metrics(running.statements, running.bulk, running.store, [today(), cold.day(1)])
    for look in (the_ledger, days, status, daily_metrics, anomalies):
        look(api)


def the_ledger(stocked: Api) -> None:
    said = stocked.get("/ledger").json()
    assert said == stocked.running.ledger().as_dict()
    assert (said["received"], said["archived"], said["dead_lettered"], said["residual"]) == (51, 20, 1, 0)
    producers = stocked.get("/ledger/producers").json()
    assert sorted((each["producer_id"], each["received"]) for each in producers)[:2] == [
        ("other", 1),
        ("test", 50),
    ]
    assert len(stocked.get("/ledger/producers", limit=1).json()) == 1
    by_day = stocked.get("/ledger/days").json()
    assert (by_day[0]["day"], by_day[0]["inserted"]) == (str(today()), 30)
    assert {each["difference"] for each in by_day} == {0}
    assert stocked.get("/ledger/days", last=str(today() - ONE_DAY)).json() == by_day[1:]


def days(stocked: Api) -> None:
    said = stocked.get("/days").json()
    assert said["total"] == len(said["days"]) == 2
    assert [(day["state"], day["archived_rows"]) for day in said["days"]] == [("open", 0), ("archived", 20)]
    assert said["days"][1]["manifest"].startswith("manifests/")
    assert stocked.get("/days", limit=1).json() == {"days": said["days"][:1], "total": 2}
    assert stocked.get("/days", first="9999-12-31").json() == {"days": [], "total": 0}
    assert stocked.get("/days", last="0001-01-01").json() == {"days": [], "total": 0}


def status(stocked: Api) -> None:
    said = stocked.get("/status").json()
    assert (said["days"], said["residual"], said["is_followed"]) == ({"archived": 1, "open": 1}, 0, False)
    assert said["queue"]["is_trusted"] is True
    assert [stream["shard"] for stream in said["queue"]["streams"]] == [0]


def daily_metrics(stocked: Api) -> None:
    said = stocked.get("/metrics/daily").json()
    assert sum(row["count"] for row in said["rows"]) == 30
    row = said["rows"][0]
    assert (row["date"], row["source"], row["users"]) == (str(today()), "shop0", 1)
    assert row["first_at"].endswith("Z")
    one = stocked.get("/metrics/daily", source="shop1", action="order.1", limit=1).json()
    assert (len(one["rows"]), one["total"]) == (1, 2)
    old = str(Cold(stocked.running).day(1))
    assert (
        sum(row["count"] for row in stocked.get("/metrics/daily", first=old, last=old).json()["rows"]) == 20
    )


def anomalies(stocked: Api) -> None:
    stocked.running.statements.execute(
        "insert into activity_anomalies_daily "
        "values (current_date, 'spike', 's', 'a', 9, 1, 0, 2, 0.001, 'warning', 'much of it')"
    )
    (row,) = stocked.get("/anomalies", source="s").json()["rows"]
    assert (row["kind"], row["observed"], row["sentence"]) == ("spike", 9.0, "much of it")
    assert stocked.get("/anomalies", last=str(today() - ONE_DAY)).json() == {"rows": [], "total": 0}


SENSELESS: list[tuple[str, dict[str, str], str]] = [
    ("/days", {"limit": "0"}, "query.limit"),
    ("/days", {"limit": "4001"}, "query.limit"),
    ("/days", {"limit": "1e3"}, "query.limit"),
    ("/days", {"first": "yesterday"}, "query.first"),
    ("/days", {"first": "2026-02-30"}, "query.first"),
    ("/days", {"last": "10000-01-01"}, "query.last"),
    ("/days", {"first": "2026-03-02", "last": "2026-03-01"}, "query.first"),
    ("/days", {"first": "0001-01-01", "last": "9999-12-31"}, "query.first"),
    ("/days", {"colour": "red"}, "query.colour"),
    ("/ledger", {"colour": "red"}, "query.colour"),
    ("/metrics/daily", {"first": "2020-01-01", "last": "2021-01-01"}, "query.first"),
    ("/metrics/daily", {"source": "x" * 129}, "query.source"),
    ("/metrics/daily", {"source": "a\0"}, "query.source"),
]


def test_parameters_that_make_no_sense(api: Api) -> None:
    for path, parameters, where in SENSELESS:
        answer = api.get(path, **parameters)
        assert answer.status_code == 422, (path, parameters)
        assert answer.headers["content-type"] == "application/problem+json"
        said = answer.json()
        assert (said["status"], said["title"]) == (422, "Unprocessable Entity")
        assert [error["where"] for error in said["errors"]] == [where], (path, parameters)
        assert said["request_id"] == answer.headers["x-request-id"]


def test_problems_of_the_protocol(api: Api) -> None:
    for method, path, status in [
        ("GET", "/nowhere", 404),
        ("GET", "/api/v1/activities/", 404),
        ("GET", "/api/v1/../v2", 404),
        ("DELETE", "/api/v1/ledger", 405),
        ("PUT", "/api/v1/activities", 405),
        ("BREW", "/api/v1/ledger", 405),
        ("GET", "/docs", 404),
    ]:
        answer = api.client.request(method, path)
        assert answer.status_code == status, (method, path)
        assert answer.json()["status"] == status
        assert answer.headers["content-type"] == "application/problem+json"


def test_each_answer_carries_an_id_and_keeps_pages_from_using_it(api: Api) -> None:
    for path in ("/healthz", "/api/v1/ledger", "/nowhere", "/api/v1/days?limit=0", "/api/v1/openapi.json"):
        headers = api.client.get(path, headers={"x-request-id": "mine-1"}).headers
        assert headers["x-request-id"] == "mine-1"
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "script" not in headers["content-security-policy"]
        assert headers["cache-control"] == "no-store"
        assert "server" not in headers
        assert "access-control-allow-origin" not in headers
    made = api.client.get("/healthz", headers={"x-request-id": "no good"}).headers["x-request-id"]
    assert made != "no good"
    assert len(made) == 36


def test_a_bug_is_answered_without_a_word_of_it(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    words = "the " + "secret"

    def fail(*_: object) -> None:
        raise ValueError(words)

    monkeypatch.setattr("activity_pipeline.api.routes.days.checked", fail)
    answer = api.client.get("/api/v1/days", headers={"x-request-id": "r-1"})
    assert answer.status_code == 500
    assert answer.json() == {
        "type": "urn:activity-pipeline:problem:internal-error",
        "title": "Internal Server Error",
        "status": 500,
        "detail": "Something went wrong here; the service's log names the request.",
        "request_id": "r-1",
    }
    assert "request r-1 failed: ValueError" in caplog.text
    assert words not in caplog.text
    assert "Traceback" not in caplog.text
    assert api.get("/ledger").status_code == 200


def test_a_question_that_takes_too_long_is_given_up(running: Running) -> None:
    with serving(running, api_keyless=True, api_statement_timeout_s=0.2) as api:
        with running.statements.transaction():
            running.statements.execute("lock table activity_days in access exclusive mode")
            answer = api.get("/days")
        assert answer.status_code == 503
        assert answer.json()["detail"] == "Finding this took too long; ask for less."
        assert api.get("/days").status_code == 200


def test_each_read_is_an_event(api: Api) -> None:
    key = api.key()
    api.get("/days", key, first="2026-03-01", limit=5)
    api.get("/days", key, limit=0, secret="hush")
    api.get("/ledger")
    api.client.get("/healthz")
    api.client.get("/metrics")
    api.post({"source": "s", "action": "a"})
    reads = api.reads()
    ids = {read.pop("request_id") for read in reads}
    assert len(ids) == 3
    prefix = key.split("_")[1]
    seen: list[dict[str, Any]] = [
        {
            "entity_id": prefix,
            "status": "success",
            "route": "/api/v1/days",
            "parameters": ["first", "limit"],
            "status_code": 200,
            "key_name": "test",
        },
        {
            "entity_id": prefix,
            "status": "failure",
            "route": "/api/v1/days",
            "parameters": [],
            "status_code": 422,
            "key_name": "test",
        },
        {
            "entity_id": "loopback",
            "status": "success",
            "route": "/api/v1/ledger",
            "parameters": [],
            "status_code": 200,
            "key_name": "loopback",
        },
    ]
    assert reads == seen
    assert api.running.ledger().residual == 0


def test_reads_leave_no_event_where_that_is_switched_off(running: Running) -> None:
    with serving(running, api_keyless=True, api_log_reads=False) as api:
        assert api.get("/days").status_code == 200
        assert api.reads() == []


def test_a_read_does_not_fail_with_its_event(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError

    monkeypatch.setattr("activity_pipeline.producer.logger.ActivityLogger.log", fail)
    assert api.get("/days").status_code == 200


def test_figures(api: Api) -> None:
    api.get("/days")
    api.get("/days", limit=0)
    api.client.get("/no/such/page")
    said = api.client.get("/metrics").text
    for counted in (
        'activity_api_requests_total{method="GET",route="/api/v1/days",status="200"}',
        'activity_api_requests_total{method="GET",route="/api/v1/days",status="422"}',
        'activity_api_requests_total{method="GET",route="unmatched",status="404"}',
        'activity_api_request_seconds_bucket{le="0.1",method="GET",route="/api/v1/days"}',
        "activity_api_requests_under_way 1.0",
    ):
        assert counted in said
    assert "/no/such/page" not in said


def test_prometheus_is_told_of_the_operations_of_all_processes(running: Running, api: Api) -> None:
    ended = Recorder()
    ended.observe("export", 2.0)
    assert write_pending(running.settings.postgres_dsn, ended)
    api.get("/activities/count")
    said = api.client.get("/metrics").text
    for counted in (
        'activity_operation_seconds_bucket{le="1",operation="export"} 0.0',
        'activity_operation_seconds_bucket{le="+Inf",operation="export"} 1.0',
        'activity_process_operation_seconds_count{operation="query"}',
        "activity_process_dropped_samples_total 0.0",
    ):
        assert counted in said
    running.statements.execute("alter table activity_operation_totals rename to elsewhere")

    def is_of_this_process() -> bool:
        said = api.client.get("/metrics").text
        assert "activity_process_operation_seconds_count" in said
        return "activity_operation_seconds" not in said

    wait_for("the kept figures to be too old", is_of_this_process)


def test_the_document_lists_every_route() -> None:
    document = create_app(Settings(postgres_dsn="postgresql://", redis_url="redis://")).openapi()
    assert document["openapi"].startswith("3.1")
    listed = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert listed == ROUTES
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["description"]
            is_open = path in {"/healthz", "/readyz"} or (path, method) in OPEN
            assert bool(operation.get("security")) == (not is_open)
            for parameter in operation.get("parameters", []):
                schema = str(parameter["schema"])
                bounds = ("maximum", "maxLength", "'format': 'date", "'format': 'uuid'", "'enum'", "$ref")
                assert any(bound in schema for bound in bounds), parameter
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"]


def test_readiness_tells_of_a_schema_that_is_behind(api: Api) -> None:
    api.running.statements.execute("delete from activity_migrations where version = 8")
    answer = api.client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["migrated"] is False
    assert timedelta(0) < timedelta(seconds=int(answer.headers["retry-after"]))
