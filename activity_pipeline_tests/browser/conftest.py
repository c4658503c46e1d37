"""A real Chromium on a real API; skipped, with the reason, where there is none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, sync_playwright

from activity_pipeline.bench.query.page import ARGUMENTS, CHROMIUMS, chromium
from activity_pipeline_tests.conftest import Running
from activity_pipeline_tests.integration.api.conftest import Api, now, serving
from activity_pipeline_tests.lines import line

TIMEOUT_MS = 20_000
LINES_PER_FRAME = 2000


# Not for the session: while it is open its event loop runs in this thread, where others run theirs.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium of this machine."""
    path = chromium()
    if path is None:
        pytest.skip(f"no browser here: none of {', '.join(CHROMIUMS)} is installed")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Tab:
    """A tab on the page, and what it asked for.

    Attributes:
        page: Playwright's.
        api: What it talks to.
        complaints: What its console said, and errors that nobody caught.
        allowed: What the console may say, once a test breaks something on purpose.
        requests: Paths and queries that it asked the API for.
    """

    page: Page
    api: Api
    complaints: list[str] = field(default_factory=list)
    allowed: str | None = None
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(TIMEOUT_MS)
        self.page.on("console", self._note)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._count)

    def _note(self, message: ConsoleMessage) -> None:
        if self.allowed is not None and self.allowed in message.text:
            return
        if message.type in {"error", "warning"}:
            self.complaints.append(message.text)

    def _count(self, request: Request) -> None:
        path = request.url.partition("/api/v1")[2]
        if path:
            self.requests.append(path)

    def go(self, route: str = "") -> None:
        """Open a route of the page."""
        self.page.goto(f"{self.api.url}/{route}")

    @property
    def rows(self) -> Locator:
        """The rows of the list that are in the document and filled."""
        return self.page.locator(".grid-space .grid-row:not(.waiting)")

    def asked(self, path: str) -> list[str]:
        """Return the requests of a path so far."""
        return [each for each in self.requests if each.partition("?")[0] == path]


@pytest.fixture
def tab(api: Api, browser: Browser) -> Iterator[Tab]:
    """A tab that may complain of nothing."""
    yield from open_tab(api, browser)


@pytest.fixture
def api(running: Running) -> Iterator[Api]:
    """An API to which everybody on this machine may talk without a key; reads are no events."""
    with serving(running, api_keyless=True, api_log_reads=False) as api:
        yield api


def open_tab(api: Api, browser: Browser, **options: str) -> Iterator[Tab]:
    """Open a tab; what its console said fails the test at its end."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, **options)  # type: ignore[arg-type]
    tab = Tab(context.new_page(), api)
    yield tab
    context.close()
    assert tab.complaints == []


def fill_in(running: Running, count: int, *, needle: int = -1) -> datetime:
    """Store `count` events, one a second until a moment ago; return the time of the last one.

    Args:
        running: Where.
        count: How many.
        needle: Which one, from the oldest, has an entity id of its own, `needle`.
    """
    last = now().replace(microsecond=0) - timedelta(seconds=5)
    sequence = 0
    for start in range(0, count, LINES_PER_FRAME):
        lines = [
            line(
                n,
                last - timedelta(milliseconds=200) * (count - 1 - n),
                action="order.paid" if n % 3 else "cart.updated",
                entity_type="order",
                entity_id="needle" if n == needle else str(n % 500),
                status="failure" if n % 50 == 0 else "success",
            )
            for n in range(start, min(start + LINES_PER_FRAME, count))
        ]
        running.send(*lines, sequence=sequence)
        sequence += len(lines)
    running.drain()
    assert Counter(running.states().values())
    return last
