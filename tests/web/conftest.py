"""A real service, and pages of the system's Chromium that are signed in to it."""

import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from filelock import FileLock
from playwright.sync_api import Browser, BrowserContext, Page, expect

from docs.website.build import build_site
from tests.acceptance.service import ServiceProcess, running_service
from tests.web.browser import PageProblems, find_chromium, open_browser, screenshot

SLOTS = ("--slots", "2")
SITE = Path(__file__).parents[2] / "app" / "site"
WAIT_MS = 30_000  # a machine may have other things to do
REPORTS: dict[str, pytest.TestReport] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Keep whether a test failed, for the picture of its page."""
    report: pytest.TestReport = yield
    REPORTS[item.nodeid] = report
    return report


@pytest.fixture(scope="session")
def shared_service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    """The service of the session, with the documentation of this working tree."""
    with FileLock(Path(tempfile.gettempdir()) / "graftwerk-site.lock"):  # other processes of `pytest -n` build it too
        build_site(SITE)
    with running_service(tmp_path_factory.mktemp("web") / "home", *SLOTS) as running:
        yield running


@pytest.fixture
def service(shared_service: ServiceProcess) -> Iterator[ServiceProcess]:
    """A running service without work. A test may stop it, as long as it stops cleanly."""
    shared_service.resume(*SLOTS)
    yield shared_service
    shared_service.resume(*SLOTS)
    shared_service.cancel_all()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one file: none is left when tests with event loops of their own begin."""
    program = find_chromium()
    if program is None:
        pytest.skip("no Chromium: apt install chromium, or name one in CHROMIUM")
    with open_browser(program) as opened:
        yield opened


@pytest.fixture
def context(browser: Browser, service: ServiceProcess) -> Iterator[BrowserContext]:
    """A fresh profile, which nobody is signed in to."""
    made = browser.new_context(base_url=service.url, viewport={"width": 1280, "height": 800})
    made.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    yield made
    made.close()


@pytest.fixture
def problems(request: pytest.FixtureRequest) -> Iterator[PageProblems]:
    """What went wrong on the pages of a test; at its end everything that was not expected fails it."""
    watched = PageProblems()
    yield watched
    assert watched.unexpected == []


@pytest.fixture
def fresh_page(context: BrowserContext, problems: PageProblems, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that nobody is signed in to."""
    page = context.new_page()
    problems.watch(page)
    yield page
    if (report := REPORTS.pop(request.node.nodeid, None)) is not None and report.failed:
        screenshot(page, re.sub(r"\W+", "-", f"failed-{request.node.name}"))


@pytest.fixture
def page(fresh_page: Page, service: ServiceProcess) -> Page:
    """A page that is signed in with the service's first key. The sign-in page has tests of its own."""
    key = (service.home / "key").read_text().strip()
    answer = fresh_page.request.post("/v1/session", data={"key": key})
    assert answer.status == 201, answer.text()
    return fresh_page
