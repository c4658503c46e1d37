"""The page of an application that leaves its audit triggers."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from activity_pipeline.events.days import ONE_DAY, today
from activity_pipeline.hot.legacy import EVERYTHING, Compared, keep_compared
from activity_pipeline.legacy.plan import write_plan
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.api.conftest import Api, serving
from activity_pipeline_tests.integration.legacy.conftest import Legacy, legacy, legacy_dsn

from .conftest import Tab, open_tab
from .test_pages import breaches

__all__ = ["legacy", "legacy_dsn"]


def test_phases_parity_and_days(legacy: Legacy, running: Running, browser: Browser, tmp_path: Path) -> None:
    plan = legacy.ready()
    write_plan(plan, tmp_path / "plan")
    legacy.cut(plan, 1)
    trigger = plan.phase(4).tables[0].triggers[0].trigger
    legacy.application.execute(f"drop trigger {trigger.name} on {trigger.relation}")
    for back in (2, 1):
        compared = [Compared("app.users", 5, back - 1, 0, 0), Compared(EVERYTHING, 50, back - 1, 0, 0)]
        keep_compared(running.statements, today() - back * ONE_DAY, compared, datetime.now(UTC))
    named = {"legacy_dsn": legacy.dsn, "legacy_plan": str(tmp_path / "plan")}
    with serving(running, api_keyless=True, api_log_reads=False, **named) as api:
        told = api.client.get("/api/v1/legacy").json()
        # Nobody says here which tables are those of the second and the third phase.
        states = [each["state"] for each in told["phases"]]
        assert (told["phase"], states) == (4, ["done", "nothing to do", "nothing to do", "to do"])
        (users,) = [each for each in told["tables"] if each["table_name"] == "app.users"]
        assert users["parity"] == {"matched": 10, "missing": 1, "extra": 0, "different": 0}
        assert [each["missing"] for each in told["days"]] == [1, 0]
        assert told["drift"]["gone"] == [trigger.key]
        for scheme in ("light", "dark"):
            for tab in open_tab(api, browser, color_scheme=scheme):
                _looked_at(tab)
                expect(tab.page.locator(".concerns", has_text=trigger.key)).to_contain_text("Plan anew")


def _looked_at(tab: Tab) -> None:
    tab.go("#/health")
    tab.page.get_by_role("link", name="Triggers").click()
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Audit triggers")
    rows = tab.page.get_by_role("region", name="Table of phases").locator("tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.first).to_contain_text("done")
    users = tab.page.get_by_role("region", name="Table of tables").locator("tr", has_text="app.users")
    expect(users.first).to_contain_text("10")
    expect(tab.page.locator(".figure", has_text="Parity")).to_contain_text("1 table")
    assert breaches(tab.page) == []
    tab.page.set_viewport_size({"width": 380, "height": 700})
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 380


def test_without_an_application_there_is_no_such_page(api: Api, tab: Tab) -> None:
    assert api.client.get("/api/v1/legacy").status_code == 404
    tab.go("#/health")
    expect(tab.page.get_by_role("heading", level=1)).to_have_text("Ledger and health")
    expect(tab.page.get_by_role("link", name="Health")).to_be_visible()
    expect(tab.page.get_by_role("link", name="Triggers")).to_have_count(0)
