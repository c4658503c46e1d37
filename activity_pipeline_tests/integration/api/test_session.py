"""The monitor page's files, and the cookie that holds its key."""

from __future__ import annotations

import re

import httpx
import pytest

from activity_pipeline.api.callers import COOKIE, PAGE_HEADER

from .conftest import Api, bearer

OURS = {PAGE_HEADER: "1"}


def sign_in(api: Api, key: str) -> httpx.Response:
    """Sign in; the client keeps the cookie."""
    return api.client.post("/api/v1/session", json={"key": key}, headers=OURS)


def test_the_page_and_all_that_it_loads(closed: Api) -> None:
    page = closed.client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = page.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script(?![^>]*src=)|<style|style=|https?://", page.text)
    waiting = re.findall(r'(?:href|src)="(/assets/[^"]+)"', page.text)
    seen: set[str] = set()
    while waiting:
        path = waiting.pop()
        answer = closed.client.get(path)
        assert answer.status_code == 200, path
        assert "immutable" in answer.headers["cache-control"]
        seen.add(path)
        if path.endswith(".js"):
            assert answer.headers["content-type"].startswith("text/javascript")
            imported = re.findall(r'^(?:import|export) .*from "([^"]+)";$', answer.text, re.MULTILINE)
            waiting += {str(httpx.URL(path).join(each)) for each in imported} - seen
    assert len(seen) > 20


@pytest.mark.parametrize("path", ["index.html", "../__init__.py", "%2e%2e/__init__.py", "nothing.js"])
def test_no_other_file_is_given(closed: Api, path: str) -> None:
    version = re.findall(r"/assets/(\w+)/", closed.client.get("/").text)[0]
    assert closed.client.get(f"/assets/{version}/{path}").status_code == 404
    assert closed.client.get("/assets/000000000000/main.js").status_code == 404


def test_a_key_in_a_cookie_reads_and_with_the_header_changes(closed: Api) -> None:
    assert closed.get("/session").status_code == 401
    answer = sign_in(closed, closed.key("admin", name="operator"))
    assert answer.json()["label"] == "operator"
    cookie = answer.headers["set-cookie"]
    assert all(part in cookie for part in ("HttpOnly", "SameSite=strict", "Path=/"))
    assert "Secure" not in cookie
    assert closed.get("/session").json()["scopes"] == ["admin", "read", "write"]
    assert closed.get("/dead-letters").status_code == 200
    bare = closed.client.post("/api/v1/dead-letters/replay", json={})
    assert bare.status_code == 403
    assert closed.client.post("/api/v1/dead-letters/replay", json={}, headers=OURS).status_code == 200
    assert closed.client.delete("/api/v1/session").status_code == 403
    assert closed.client.delete("/api/v1/session", headers=OURS).status_code == 204
    assert closed.get("/session").status_code == 401


def test_behind_tls_the_cookie_is_secure(closed: Api) -> None:
    answer = closed.client.post(
        "/api/v1/session",
        json={"key": closed.key("read")},
        headers={**OURS, "x-forwarded-proto": "https"},
    )
    assert "Secure" in answer.headers["set-cookie"]


def test_a_wrong_key_gets_no_cookie(closed: Api) -> None:
    key = closed.key("read")
    for wrong in ("", "act_", key[:-1] + ("a" if key[-1] != "a" else "b")):
        answer = sign_in(closed, wrong)
        assert answer.status_code == 401
        assert "set-cookie" not in answer.headers
    assert closed.client.post("/api/v1/session", json={"key": key}).status_code == 403


def test_a_header_counts_before_a_cookie(closed: Api) -> None:
    sign_in(closed, closed.key("admin"))
    assert closed.get("/session", closed.key("read")).json()["scopes"] == ["read"]


def test_a_key_that_is_revoked_ends_the_session(closed: Api) -> None:
    key = closed.key("read")
    sign_in(closed, key)
    closed.client.cookies.set(COOKIE, key[:-5] + "AAAAA")
    assert closed.get("/session").status_code == 401


def test_a_page_of_elsewhere_changes_nothing_without_a_key(api: Api) -> None:
    """Nor does one of another port of this machine, for which no key is asked."""
    origin = {"origin": "http://127.0.0.1:8080"}
    refused = api.client.post("/api/v1/dead-letters/replay", json={}, headers=origin)
    assert refused.status_code == 403
    for header in (origin, bearer(None)):
        assert api.client.get("/api/v1/session", headers=header).json()["name"] == "loopback"
    assert api.client.post("/api/v1/dead-letters/replay", json={}).status_code == 200
    # The header makes a browser ask first, and nobody says yes.
    asked = {**origin, "access-control-request-method": "POST", "access-control-request-headers": PAGE_HEADER}
    answer = api.client.options("/api/v1/dead-letters/replay", headers=asked)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers
