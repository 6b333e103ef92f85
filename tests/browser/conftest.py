"""A real browser without a screen, and pages opened from disk in it."""

import os
import shutil
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Set where a missing browser is a fault and not a circumstance, as CI does.
REQUIRED = "WAVECHECK_NEEDS_BROWSER"


@pytest.fixture(scope="module")
def browser():
    """Chromium, headless; without one the summary says what was not tested.

    One for each module: while it is there an event loop runs in this thread, and tests
    of what has none must not share it.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = f"NOT TESTED: no browser (looked for {', '.join(NAMES)})"
        if os.environ.get(REQUIRED):
            pytest.fail(reason)
        pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield started
        started.close()


class Opened:
    """A page from disk, with everything that it complained about or asked for.

    Attributes:
        page: of Playwright.
        complaints: console messages and errors.
        requests: addresses that were asked for, but for the page itself.
    """

    def __init__(self, page):
        self.page = page
        self.complaints = []
        self.requests = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("request", self._note)

    def _note(self, request):
        if not request.is_navigation_request():
            self.requests.append(request.url)

    def text(self, selector):
        """The visible text of the first element."""
        return self.page.locator(selector).first.inner_text()

    def press(self, *keys):
        """Press keys, one after another."""
        for key in keys:
            self.page.keyboard.press(key)


@pytest.fixture
def open_page(browser, tmp_path):
    """Open a page; afterwards it must have asked for nothing and not complained."""
    opened = []

    def open_(content, *, fragment="", width=1280, height=900, scheme="light"):
        path = Path(tmp_path) / f"page-{len(opened)}.html"
        path.write_bytes(content)
        page = browser.new_page(
            viewport={"width": width, "height": height}, color_scheme=scheme
        )
        opened.append(Opened(page))
        page.goto(f"{path.as_uri()}{fragment}")
        return opened[-1]

    yield open_
    for one in opened:
        one.page.close()
        assert one.complaints == []
        assert one.requests == []
