"""The list of events: found, scrolled, opened, filtered, followed."""

from __future__ import annotations

import re
from datetime import timedelta

import httpx
import pytest
from playwright.sync_api import expect

from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.api.conftest import Api, now
from activity_pipeline_tests.lines import line
from activity_pipeline_tests.waiting import wait_for

from .conftest import Tab, fill_in
from .test_pages import breaches

MOST_ROWS = 100
"""Rows in the document at once, however long the list."""


def find_the_needle(running: Running, tab: Tab, count: int) -> None:
    """Find one event among many by a filter, and open it."""
    fill_in(running, count, needle=count // 3)
    tab.go("#/activity")
    expect(tab.rows.first).to_be_visible()
    assert tab.rows.count() <= MOST_ROWS
    tab.page.locator("summary", has_text="Filter").click()
    tab.page.get_by_label("Filter", exact=True).select_option("entity_id")
    tab.page.get_by_label("Value").fill("needle")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator(".summary")).to_have_text("1 event")
    assert "entity_id=needle" in tab.page.url
    tab.rows.first.click()
    expect(tab.page.get_by_label("Details")).to_contain_text("needle")
    # Whoever gets the address sees the same.
    tab.page.reload()
    expect(tab.page.locator(".chip")).to_contain_text("needle")
    expect(tab.page.locator(".summary")).to_have_text("1 event")


def test_an_event_is_found_among_many(running: Running, tab: Tab) -> None:
    find_the_needle(running, tab, 20_000)
    assert breaches(tab.page) == []


@pytest.mark.slow
def test_an_event_is_found_among_a_million(running: Running, tab: Tab) -> None:
    find_the_needle(running, tab, 1_000_000)


def scroll_through(running: Running, tab: Tab, count: int) -> None:
    """Scroll to the end of all events; each comes once and in order, few are in the document."""
    fill_in(running, count)
    tab.go("#/activity")
    expect(tab.rows.first).to_be_visible()
    seen = tab.page.evaluate(
        """async (most) => {
            const grid = document.querySelector(".grid");
            let rows = 0, last = "";
            for (let still = 0; still < 200; ) {
                const before = grid.scrollTop;
                grid.scrollTop += grid.clientHeight * 5;
                await new Promise(requestAnimationFrame);
                await new Promise(requestAnimationFrame);
                rows = Math.max(rows, document.querySelectorAll(".grid-space .grid-row").length);
                if (document.querySelector(".grid-space .waiting")) {
                    await new Promise((done) => setTimeout(done, 5));
                    continue;
                }
                still = grid.scrollTop === before ? still + 1 : 0;
            }
            return { rows, count: Number(grid.getAttribute("aria-rowcount")) };
        }"""
    )
    assert seen["count"] == count + 1
    assert seen["rows"] <= MOST_ROWS
    expect(tab.page.locator(".summary")).to_have_text(f"{count:,} events")
    # And back: what was forgotten is found again.
    tab.page.locator(".grid").evaluate("(grid) => { grid.scrollTop = 0; }")
    expect(tab.page.locator("#row-0:not(.waiting)")).to_be_visible()


def test_rows_in_the_document_are_few(running: Running, tab: Tab) -> None:
    scroll_through(running, tab, 5_000)


@pytest.mark.slow
def test_a_hundred_thousand_rows_are_scrolled(running: Running, tab: Tab) -> None:
    scroll_through(running, tab, 100_000)


def test_whoever_types_fast_asks_once(running: Running, tab: Tab) -> None:
    fill_in(running, 300)
    tab.go("#/activity")
    expect(tab.rows.first).to_be_visible()
    before = len(tab.asked("/activities"))
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("cart.updated", delay=15)
    expect(tab.page.locator(".summary")).to_have_text("100 events")
    asked = tab.asked("/activities")[before:]
    assert len(asked) == 1
    assert "text=cart.updated" in asked[0]


def test_what_happens_now_appears_and_waits_while_paused(running: Running, tab: Tab) -> None:
    fill_in(running, 50)
    tab.go("#/activity")
    expect(tab.rows.first).to_be_visible()
    live = tab.page.get_by_role("button", name=re.compile("Live|Connecting"))
    live.click()
    expect(live).to_have_text("Live")
    running.send(line(5000, now(), action="user.arrived"), sequence=5000)
    running.drain()
    expect(tab.page.locator("#row-0")).to_contain_text("user.arrived", timeout=2000)
    tab.page.get_by_role("button", name="Pause").click()
    running.send(line(5001, now() + timedelta(milliseconds=1), action="user.left"), sequence=5001)
    running.drain()
    resume = tab.page.get_by_role("button", name="Go on (1 new)")
    expect(resume).to_be_visible()
    expect(tab.page.locator("#row-0")).to_contain_text("user.arrived")
    resume.click()
    expect(tab.page.locator("#row-0")).to_contain_text("user.left")


def test_the_list_by_keyboard_alone(running: Running, tab: Tab) -> None:
    fill_in(running, 400)
    tab.go("#/activity")
    expect(tab.rows.first).to_be_visible()
    press = tab.page.keyboard.press
    for key in ("j", "j", "ArrowDown", "k"):
        press(key)
    expect(tab.page.locator("#row-1")).to_have_attribute("aria-selected", "true")
    press("Enter")
    drawer = tab.page.get_by_label("Details")
    expect(drawer).to_contain_text("Metadata")
    press("j")
    expect(tab.page.locator("#row-2")).to_have_attribute("aria-selected", "true")
    press("Escape")
    expect(drawer).to_be_hidden()
    press("/")
    expect(tab.page.get_by_label("Search")).to_be_focused()
    press("Escape")
    expect(tab.page.get_by_role("grid")).to_be_focused()


def test_views_are_kept_and_files_are_of_what_is_filtered(running: Running, tab: Tab) -> None:
    fill_in(running, 300)
    tab.go("#/activity?action=cart.updated")
    expect(tab.page.locator(".summary")).to_have_text("100 events")
    tab.page.locator("summary", has_text="Views").click()
    tab.page.get_by_role("button", name="Save this view…").click()
    tab.page.get_by_label("Name").fill("carts")
    tab.page.keyboard.press("Enter")
    tab.go("#/activity")
    expect(tab.page.locator(".chip")).to_have_count(0)
    tab.page.locator("summary", has_text="Views").click()
    tab.page.get_by_role("link", name="carts").click()
    expect(tab.page.locator(".summary")).to_have_text("100 events")
    tab.page.locator("summary", has_text="Export").click()
    with tab.page.expect_download() as download:
        tab.page.get_by_role("link", name="NDJSON").click()
    assert len(download.value.path().read_bytes().splitlines()) == 100


def test_nothing_found_and_nobody_there(running: Running, tab: Tab, api: Api) -> None:
    fill_in(running, 10)
    tab.go("#/activity?action=no.such")
    expect(tab.page.get_by_text("Nothing fits")).to_be_visible()
    tab.allowed = "ERR_CONNECTION"
    api.server.should_exit = True
    wait_for("the API to end", lambda: _is_away(api))
    tab.page.get_by_role("button", name="Remove Action").click()
    expect(tab.page.get_by_role("alert")).to_contain_text("The service does not answer.")
    expect(tab.page.get_by_role("button", name="Try again")).to_be_visible()


def _is_away(api: Api) -> bool:
    try:
        api.client.get("/healthz")
    except httpx.TransportError:
        return True
    return False
