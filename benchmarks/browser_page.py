"""Pages in Chromium, timed: cold loads up to the first curve, and what follows an action of the mouse."""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
VIEWPORT = {"width": 1280, "height": 900}
QUIET_SECONDS = 1.0  # without a request: the page is complete
LOAD_SECONDS = 120.0

# The time from the start of the navigation to the first frame in which a condition holds.
FIRST_CURVE = """
if (window === top) {
  const isDrawn = () => { try { return Boolean(CONDITION); } catch { return false; } };
  const look = () => isDrawn() ? (window.firstCurve = performance.now()) : requestAnimationFrame(look);
  requestAnimationFrame(look);
}
"""
# The time from an event of the mouse to the frame after the chart has been painted anew. Chromium stamps the event
# when it is made; the task after the callback of a frame runs when that frame has been handed over.
REPAINTS = """
if (window === top) {
  window.repaints = [];
  const count = () => performance.getEntriesByName("graftwerk-curve").length;
  for (const kind of ["mousemove", "mouseup"]) addEventListener(kind, (event) => {
    const before = count();
    const wait = () => {
      const tell = () => window.repaints.push([kind, performance.now() - event.timeStamp]);
      if (count() > before) return void setTimeout(tell);
      if (performance.now() - event.timeStamp < 2000) requestAnimationFrame(wait);
    };
    requestAnimationFrame(wait);
  }, true);
}
"""


@dataclass
class Load:
    """One cold load: seconds to the first curve, and the requests and bytes on the wire until nothing more came."""

    seconds: float
    requests: int
    wire_bytes: int


@dataclass
class _Traffic:
    requests: int = 0
    wire_bytes: int = 0
    last: float = field(default_factory=time.monotonic)

    def watch(self, page: Page) -> None:
        protocol = page.context.new_cdp_session(page)
        protocol.send("Network.enable")
        protocol.on("Network.requestWillBeSent", lambda _: self._add(1, 0))
        protocol.on("Network.loadingFinished", lambda event: self._add(0, int(event["encodedDataLength"])))

    def _add(self, requests: int, wire_bytes: int) -> None:
        self.requests += requests
        self.wire_bytes += wire_bytes
        self.last = time.monotonic()


@contextmanager
def open_browser() -> Iterator[Browser]:
    """Run the system's Chromium. Raises `SystemExit` where there is none."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("no Chromium: apt install chromium, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(ARGUMENTS))
        yield browser
        browser.close()


def sign_in(context: BrowserContext, address: str, key: str) -> None:
    """Sign the browser's profile in to a Graftwerk service."""
    answer = context.request.post(f"{address}/v1/session", data={"key": key})
    if not answer.ok:
        raise SystemExit(f"could not sign in: {answer.status} {answer.text()}")


def cold_load(browser: Browser, url: str, condition: str, key: str | None = None) -> Load:
    """Open an address in a profile without any cache. `condition` is JavaScript that is true once a curve is drawn."""
    with browser.new_context(viewport=VIEWPORT) as context:  # type: ignore[arg-type]
        if key is not None:
            sign_in(context, url.split("/jobs/", maxsplit=1)[0], key)
        page = context.new_page()
        page.add_init_script(FIRST_CURVE.replace("CONDITION", condition))
        traffic = _Traffic()
        traffic.watch(page)
        page.goto(url, wait_until="commit", timeout=1000 * LOAD_SECONDS)
        _wait_for(page, "window.firstCurve")
        while time.monotonic() - traffic.last < QUIET_SECONDS:
            page.wait_for_timeout(100)
        return Load(page.evaluate("window.firstCurve") / 1000, traffic.requests, traffic.wire_bytes)


def _wait_for(page: Page, expression: str) -> None:
    """Wait until an expression holds. The policy of our page forbids what Playwright's own way of it needs."""
    deadline = time.monotonic() + LOAD_SECONDS
    while not page.evaluate(f"Boolean({expression})"):
        if time.monotonic() > deadline:
            raise SystemExit(f"{page.url} had no curve after {LOAD_SECONDS:g} s")
        page.wait_for_timeout(50)


def summarize_loads(loads: list[Load]) -> Mapping[str, float]:
    """Return the medians of some loads, and the extremes of their times."""
    seconds = sorted(load.seconds for load in loads)
    return {
        "first_curve_ms": round(1000 * median(seconds), 1),
        "first_curve_min_ms": round(1000 * seconds[0], 1),
        "first_curve_max_ms": round(1000 * seconds[-1], 1),
        "requests": median(load.requests for load in loads),
        "wire_bytes": round(median(load.wire_bytes for load in loads)),
        "loads": len(loads),
    }


def interactions(browser: Browser, url: str, key: str, rounds: int) -> dict[str, list[float]]:
    """Zoom by dragging and move by Shift and dragging, `rounds` times; return seconds by kind.

    `zoom` and `pan` end with the first frame that shows the new range, of points that the page has; `sharp` is from
    the end of a zoom to the last frame that it brings, of points that the service was asked for.
    """
    with browser.new_context(viewport=VIEWPORT) as context:  # type: ignore[arg-type]
        sign_in(context, url.split("/jobs/", maxsplit=1)[0], key)
        page = context.new_page()
        page.add_init_script(REPAINTS)
        page.goto(url, timeout=1000 * LOAD_SECONDS)
        _wait_for(page, "performance.getEntriesByName('graftwerk-curve').length")
        page.wait_for_timeout(2000)
        times: dict[str, list[float]] = {"zoom": [], "pan": [], "sharp": []}
        for number in range(rounds):
            times["zoom"].append(_drag(page, 0.3 + 0.02 * (number % 5), 0.7, shift=False, kind="mouseup")[-1])
            released = page.evaluate("performance.now()")
            page.wait_for_timeout(1500)
            last = page.evaluate("performance.getEntriesByName('graftwerk-curve').at(-1).startTime")
            times["sharp"].append(max(times["zoom"][-1], (last - released) / 1000))
            times["pan"] += _drag(page, 0.6, 0.4, shift=True, kind="mousemove")
            page.wait_for_timeout(800)
            if number % 3 == 2:
                page.locator(".u-over").first.dblclick(position={"x": 50, "y": 60})
                page.wait_for_timeout(1500)
        return times


def _drag(page: Page, start: float, end: float, *, shift: bool, kind: str) -> list[float]:
    """Drag across the first chart, by shares of its width; return the seconds of repaints after a kind of event."""
    box = page.locator(".u-over").first.bounding_box()
    if box is None:
        raise SystemExit("there is no chart on the page")
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + start * box["width"], y)
    page.wait_for_timeout(300)
    page.evaluate("window.repaints.length = 0")
    if shift:
        page.keyboard.down("Shift")
    page.mouse.down()
    for step in range(1, 11):
        page.mouse.move(box["x"] + (start + (end - start) * step / 10) * box["width"], y)
        page.wait_for_timeout(40)
    page.mouse.up()
    if shift:
        page.keyboard.up("Shift")
    _wait_for(page, f"window.repaints.some(([kind]) => kind === '{kind}')")
    page.wait_for_timeout(100)
    return [milliseconds / 1000 for each, milliseconds in page.evaluate("window.repaints") if each == kind]
