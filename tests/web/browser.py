"""The system's Chromium, and what tests ask of every page."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from pathlib import Path

from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

PICTURES = Path(__file__).parents[2] / "test-results" / "web"
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # root has none
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
AXE_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
REPORT_POLICY = """
addEventListener("securitypolicyviolation", (event) =>
  console.error(`content security policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
"""

# Charts are drawn anew after the page has its width. (`wait_for_function` needs eval, which the policy forbids.)
FITS_WITHIN_MS = 5_000
WAIT_FOR_WIDTH = """([width, limit]) => new Promise((done) => {
  const end = performance.now() + limit;
  const look = () => {
    const fits = innerWidth === width && document.documentElement.scrollWidth <= width;
    if (fits || performance.now() > end) done(fits);
    else requestAnimationFrame(look);
  };
  look();
})"""
# What reaches beyond the window, unless it lies in a box that scrolls by itself.
FIND_WIDE = """() => [...document.querySelectorAll("body *")].filter((each) => {
  if (each.getBoundingClientRect().right <= innerWidth + 1) return false;
  for (let box = each.parentElement; box && box !== document.body; box = box.parentElement)
    if (getComputedStyle(box).overflowX !== "visible") return false;
  return true;
}).map((each) => each.outerHTML.slice(0, 160)).slice(0, 8)"""


def find_chromium() -> str | None:
    """Return the path of the system's Chromium; `None` if there is none."""
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, PROGRAMS)), None)


@contextmanager
def open_browser(program: str) -> Iterator[Browser]:
    """Run a browser. While it runs no other event loop can run in the thread: close it before the next test file."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


@dataclass
class PageProblems:
    """Errors on a page's console, exceptions, and violations of its content security policy."""

    messages: list[str] = field(default_factory=list)
    expected: list[re.Pattern[str]] = field(default_factory=list)

    def watch(self, page: Page) -> None:
        page.add_init_script(REPORT_POLICY)
        page.on("console", self._add_console)
        page.on("pageerror", lambda error: self.messages.append(f"exception: {error}"))

    def _add_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            place = message.location.get("url", "")
            self.messages.append(f"console: {message.text} ({place})")

    def expect(self, pattern: str) -> None:
        """Let messages with the pattern pass, for example ``status of 503`` while the API is stopped."""
        self.expected.append(re.compile(pattern))

    @property
    def unexpected(self) -> list[str]:
        return [text for text in self.messages if not any(each.search(text) for each in self.expected)]


@cache
def axe_source() -> str:
    """Return the source of axe-core, which its Python package carries."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


def axe(page: Page) -> None:
    """Fail for every violation that axe-core finds on the page as it is now.

    Its source goes in through the debugger: no policy of the page has to allow it.
    """
    if not page.evaluate("typeof axe === 'object'"):
        page.evaluate(axe_source())
    answer = page.evaluate(
        "(tags) => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})",
        list(AXE_TAGS),
    )
    lines = [
        f"{violation['id']}: {violation['help']}: {node['target']} {node['html'][:160]} {node['failureSummary'][:300]}"
        for violation in answer["violations"]
        for node in violation["nodes"][:5]
    ]
    assert not lines, f"{page.url}\n" + "\n".join(lines)


def check_themes(page: Page) -> None:
    """Run axe-core on the page in its light and in its dark theme."""
    for theme in ("dark", "light"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # no colour is halfway of a transition
        page.wait_for_function("theme => (document.documentElement.dataset.theme ?? theme) === theme", arg=theme)
        axe(page)


def check_width(page: Page, width: int = 360) -> None:
    """Fail if the page scrolls sideways on a phone."""
    before = page.viewport_size
    page.set_viewport_size({"width": width, "height": 740})
    fits = page.evaluate(WAIT_FOR_WIDTH, [width, FITS_WITHIN_MS])
    wide = page.evaluate(FIND_WIDE)
    assert fits, f"{page.url} is wider than {width}: {wide}"
    if before is not None:
        page.set_viewport_size(before)


def screenshot(page: Page, name: str) -> Path:
    """Write what the page shows to test-results/web/NAME.png."""
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    return path
