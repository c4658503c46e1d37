"""The monitor page in a Chromium of this machine: how soon it shows events, how it scrolls, what it takes."""

from __future__ import annotations

import contextlib
import shutil
import statistics
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from activity_pipeline.bench.figures import Figure
from activity_pipeline.bench.turns import Say

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ARGUMENTS: Final = ("--no-sandbox", "--disable-dev-shm-usage")
"""The sandbox needs rights that containers seldom give; all pages are our own."""

CHROMIUMS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
ROUNDS: Final = 3
SCROLL_S: Final = 5
TIMEOUT_MS: Final = 60_000
MEBI: Final = 2**20

# Milliseconds since the navigation began, as the page itself counts them.
_FIRST_ROWS: Final = """
new MutationObserver((_, observer) => {
    if (document.querySelector(".grid-space .grid-row:not(.waiting)")) {
        window.firstRowsMs = performance.now();
        observer.disconnect();
    }
}).observe(document, { attributes: true, childList: true, subtree: true });
"""
_SCROLL: Final = """async (seconds) => {
    const grid = document.querySelector(".grid");
    const started = performance.now();
    let frames = 0, now = started;
    while (now - started < seconds * 1000) {
        grid.scrollTop += 120;
        await new Promise(requestAnimationFrame);
        now = performance.now();
        frames += 1;
    }
    return { perSecond: (frames * 1000) / (now - started), rows: grid.scrollTop / 120 };
}"""


def chromium() -> str | None:
    """Return the path of a Chromium of this machine; None where there is none."""
    return next(filter(None, map(shutil.which, CHROMIUMS)), None)


def measure_page(url: str, say: Say) -> Iterator[Figure]:
    """Open the list of events a few times and scroll in it; nothing where no browser is.

    Args:
        url: Where the page is served.
        say: Told how it goes, or why not.
    """
    with _browser(say) as browser:
        if browser is None:
            return
        rounds = [_visit(browser, url) for _ in range(ROUNDS)]
        version = browser.version
    first, frames, memory = (statistics.median(each) for each in zip(*rounds, strict=True))
    say(f"page: first rows {first:.0f} ms, {frames:.0f} frames/s, {memory:.0f} MiB, Chromium {version}")
    yield Figure("page, first rows after navigation", first, "ms", 1000, "at most")
    yield Figure("page, scrolling", frames, "frames/s", 50)
    yield Figure("page, memory of the tab", memory, "MiB", 150, "at most")


def _visit(browser: Browser, url: str) -> tuple[float, float, float]:
    """Return milliseconds to the first rows, frames a second and MiB of a fresh tab."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(TIMEOUT_MS)
    page.add_init_script(_FIRST_ROWS)
    page.goto(f"{url}/#/activity")
    page.locator(".grid-space .grid-row:not(.waiting)").first.wait_for()
    first_ms = float(page.evaluate("window.firstRowsMs"))
    frames = float(page.evaluate(_SCROLL, SCROLL_S)["perSecond"])
    memory = _tab_bytes(browser) / MEBI
    context.close()
    return first_ms, frames, memory


def _tab_bytes(browser: Browser) -> int:
    """Return what the largest of the browser's tabs takes, in bytes; of shared pages its share."""
    processes: list[dict[str, Any]] = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")[
        "processInfo"
    ]
    return max(_share_bytes(each["id"]) for each in processes if each["type"] == "renderer")


def _share_bytes(process_id: int) -> int:
    for line in Path(f"/proc/{process_id}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


@contextlib.contextmanager
def _browser(say: Say) -> Iterator[Browser | None]:
    path = chromium()
    if path is None:
        say(f"page: not measured, none of {', '.join(CHROMIUMS)} is installed")
        yield None
        return
    try:
        driver = import_module("playwright.sync_api")
    except ImportError:
        say("page: not measured, Python has no playwright")
        yield None
        return
    with driver.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        try:
            yield browser
        finally:
            browser.close()
