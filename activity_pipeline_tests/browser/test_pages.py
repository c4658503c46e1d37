"""The pages beside the list of events: signed in, looked at, and used to change something."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from activity_pipeline.events.days import today
from activity_pipeline.metrics import refresh_metrics
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.api.conftest import Api, now, serving
from activity_pipeline_tests.integration.archive.conftest import Cold
from activity_pipeline_tests.lines import line

from .conftest import Tab, open_tab

PAGES = ("metrics", "anomalies", "archive", "health")
TITLES = {"metrics": "Metrics", "anomalies": "Anomalies", "archive": "Archive", "health": "Ledger and health"}


def populate(running: Running) -> Cold:
    """Store events of today and of an archived day, count them, and refuse one."""
    cold = Cold(running)
    cold.send(today(), 30)
    cold.send_hot(cold.day(1), 20)
    cold.archive()
    running.send(line(900, now(), source="elsewhere"), producer="other")
    running.drain(allowed_sources="shop")
    refresh_metrics(running.statements, running.bulk, running.store, [today(), cold.day(1)])
    return cold


def breaches(page: Page) -> list[str]:
    """Return what axe-core finds, by WCAG 2.2 A and AA and its best practices."""
    found = Axe().run(page).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node['failureSummary']}" for each in found for node in each["nodes"]
    ]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_are_there_for_everybody(running: Running, api: Api, browser: Browser, scheme: str) -> None:
    populate(running)
    for tab in open_tab(api, browser, color_scheme=scheme):
        for page in PAGES:
            tab.go(f"#/{page}")
            expect(tab.page.get_by_role("heading", level=1)).to_have_text(TITLES[page])
            expect(tab.page.locator(".spinner")).to_have_count(0)
            expect(tab.page.locator(".state.bad")).to_have_count(0)
            assert breaches(tab.page) == []
            tab.page.set_viewport_size({"width": 380, "height": 700})
            wide = tab.page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 380, f"{page} is {wide} pixels wide"
            tab.page.set_viewport_size({"width": 1280, "height": 800})


def test_a_day_is_restored_and_given_back(running: Running, tab: Tab) -> None:
    cold = populate(running)
    day = cold.day(1)
    tab.go("#/archive")
    box = tab.page.locator(f'[data-day="{day}"]')
    expect(box).to_have_class(re.compile("archived"))
    box.click()
    tab.page.get_by_role("button", name="Restore", exact=True).click()
    expect(tab.page.get_by_text("1 day restored, 20 events")).to_be_visible()
    expect(box).to_have_class(re.compile("restored"))
    assert running.count("activity_logs_archive") == 20
    box.click()
    tab.page.get_by_role("button", name="Give it back").click()
    expect(box).to_have_class(re.compile("archived"))
    assert running.count("activity_logs_archive") == 0


def test_a_range_is_restored(running: Running, tab: Tab) -> None:
    day = populate(running).day(1)
    tab.go("#/archive")
    tab.page.get_by_role("button", name="Restore a range…").click()
    tab.page.get_by_label("First day").fill(day.isoformat())
    tab.page.get_by_label("Last day").fill(today().isoformat())
    tab.page.get_by_role("button", name="Restore", exact=True).click()
    expect(tab.page.get_by_text("1 day restored, 20 events")).to_be_visible()
    assert running.count("activity_logs_archive") == 20


def test_a_dead_letter_is_replayed(running: Running, tab: Tab) -> None:
    populate(running)
    running.send(b"no JSON at all", producer="other", sequence=1)
    running.drain()
    tab.go("#/health")
    letters = tab.page.get_by_role("region", name="Table of dead letters").locator("tbody tr")
    expect(letters).to_have_count(2)
    tab.page.get_by_role("button", name="Replay not_allowed").click()
    expect(tab.page.get_by_text("1 replayed: 1 new events, 0 known")).to_be_visible()
    expect(letters).to_have_count(1)
    tab.page.get_by_role("button", name="Show dead letter").click()
    expect(tab.page.locator("dialog pre")).to_have_text("no JSON at all")
    tab.page.keyboard.press("Escape")
    expect(tab.page.locator("dialog")).to_have_count(0)
    assert running.ledger().residual == 0


@pytest.fixture
def closed(running: Running) -> Iterator[Api]:
    """An API that wants a key from everybody."""
    with serving(running) as api:
        yield api


def test_who_has_a_key_signs_in_and_out(closed: Api, browser: Browser) -> None:
    key = closed.key("read", name="auditor")
    for tab in open_tab(closed, browser):
        tab.go("#/health")
        field = tab.page.get_by_label("API key")
        field.fill("act_wrong")
        tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_role("alert")).to_have_text(re.compile("not known"))
        assert breaches(tab.page) == []
        field.fill(key)
        tab.page.keyboard.press("Enter")
        expect(tab.page.get_by_role("heading", level=1)).to_have_text("Ledger and health")
        # No script can read the key, and a reader is not shown what is for administrators.
        assert tab.page.evaluate("document.cookie") == ""
        assert tab.page.get_by_role("heading", name="Dead letters").count() == 0
        tab.page.reload()
        expect(tab.page.get_by_role("heading", level=1)).to_have_text("Ledger and health")
        tab.page.get_by_role("button", name="Sign out").click()
        expect(field).to_be_visible()
        # Chromium itself writes each refusal to the console.
        refused = [each for each in tab.complaints if "401" in each]
        assert len(refused) == 2
        tab.complaints = [each for each in tab.complaints if each not in refused]


def test_by_keyboard_alone(running: Running, tab: Tab) -> None:
    populate(running)
    tab.go("#/metrics")
    heading = tab.page.get_by_role("heading", level=1)
    expect(heading).to_have_text("Metrics")
    press = tab.page.keyboard.press
    for key, title in (("3", "Anomalies"), ("4", "Archive"), ("5", "Ledger and health"), ("2", "Metrics")):
        press(key)
        expect(heading).to_have_text(title)
    press("?")
    expect(tab.page.get_by_role("dialog")).to_contain_text("This help")
    press("Escape")
    themes = []
    for _ in range(3):
        press("t")
        themes.append(tab.page.evaluate("document.documentElement.dataset.theme ?? 'system'"))
    assert themes == ["light", "dark", "system"]
    press("Tab")
    expect(tab.page.locator(".skip")).to_be_focused()
