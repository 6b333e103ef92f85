"""The pictures of pages, made from real results: `make screenshots`.

Needs Chromium, Debian's or another. Searches and runs what the pages talk about,
opens the pages and takes their pictures into docs/images.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from wavecheck import check, compare
from wavecheck.reports.html.report import report

IMAGES = Path(__file__).parent / "images"
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")
SIZE = {"width": 1280, "height": 800}


def player() -> bytes:
    """Return the page of the double dispatch in the reference model."""
    found = check("wd", "progressive", executions=500)
    return report(found.schedules["no_double_dispatch"])


def comparison() -> bytes:
    """Return the page of the published incident under every rule."""
    return report(compare("incident"))


def take(
    browser: Browser, content: bytes, name: str, fragment: str, part: str = ""
) -> None:
    """Take a picture of a page at a fragment, or of one part of it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.html"
        path.write_bytes(content)
        page = browser.new_page(viewport=SIZE, color_scheme="light")
        page.goto(f"{path.as_uri()}{fragment}")
        shown = page.locator(part) if part else page
        shown.screenshot(path=IMAGES / name)
        page.close()
    sys.stdout.write(f"docs/images/{name}\n")


def main() -> None:
    """Take all pictures."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("error: no Chromium; on Debian: apt-get install chromium")
    IMAGES.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=list(FLAGS))
        take(browser, player(), "player.png", "#c1-s9", part=".player")
        take(browser, comparison(), "comparison.png", "#compared-1")
        browser.close()


if __name__ == "__main__":
    main()
