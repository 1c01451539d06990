"""A tab that outlives an upgrade, a service that is away, and answers that take their time."""

import re

from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.acceptance.service import ServiceProcess, digits_spec, wait_until
from tests.web.browser import PageProblems, check_themes, check_width

WAITING = {
    "name": "came back",
    "data": {"kind": "builtin", "name": "iris"},
    "model": {"layers": [{"kind": "Linear", "out_features": 3}]},
    "objective": {"loss": "CrossEntropyLoss"},
    "training": {"epochs": 1},
    "not_before": "2999-01-01T00:00:00Z",
}


def test_a_tab_from_before_an_upgrade_loads_itself_anew(page: Page, problems: PageProblems) -> None:
    problems.expect("status of 404|Failed to fetch dynamically imported")
    page.goto("/jobs")
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")
    upgraded: list[str] = []

    def answer(route: Route) -> None:
        """Files have other names since the upgrade, which a page that is loaded anew knows."""
        if route.request.is_navigation_request():
            upgraded.append(route.request.url)
        if upgraded:
            route.continue_()
        else:
            route.fulfill(status=404)

    page.route("**/workers", answer)
    page.route("**/assets/WorkersPage*", answer)
    page.get_by_role("link", name="Workers").click()
    expect(page.get_by_text("Slots in use", exact=True)).to_be_visible()
    assert len(upgraded) == 1
    page.evaluate("window.before = true")
    page.evaluate("sessionStorage.setItem('graftwerk-reloaded', String(Date.now() + 60_000))")  # as if just now
    page.route("**/assets/KeysPage*", lambda route: route.fulfill(status=404))  # a build without it
    page.get_by_role("link", name="Keys").click()
    expect(page.get_by_role("alert")).to_contain_text("could not be loaded")
    check_themes(page)
    assert page.evaluate("window.before"), "one reload is enough"


def test_a_page_goes_on_after_the_browser_was_offline(
    page: Page, context: BrowserContext, service: ServiceProcess, problems: PageProblems
) -> None:
    problems.expect("ERR_INTERNET_DISCONNECTED|Failed to fetch dynamically imported|ERR_")
    job = service.submit(digits_spec(epochs=20_000))["id"]
    service.wait_for_step(job)
    page.goto(f"/jobs/{job}")
    table = page.get_by_role("region", name="Best and last values")
    expect(table).to_be_visible()
    context.set_offline(True)
    page.get_by_role("link", name="Checkpoints").click()
    expect(page.get_by_role("alert")).to_contain_text("Checkpoints could not be loaded")
    expect(page.get_by_role("heading", level=1)).to_have_text("digits")  # what came stays
    check_themes(page)
    check_width(page)
    context.set_offline(False)
    expect(page.get_by_role("region", name="Checkpoints")).to_be_visible()
    page.get_by_role("link", name="Curves").click()
    last = table.get_by_role("row").filter(has_text="train/loss").get_by_role("cell").last
    expect(last).to_be_visible()
    before = last.inner_text()
    wait_until(lambda: last.inner_text() != before, "a live point")


def test_a_first_visit_waits_for_the_service(page: Page, problems: PageProblems) -> None:
    problems.expect("ERR_FAILED|Failed to fetch")
    page.route("**/v1/session", lambda route: route.abort())
    page.goto("/jobs")
    expect(page.get_by_role("alert")).to_contain_text("The service cannot be reached. Trying again")
    check_themes(page)
    page.unroute("**/v1/session")
    expect(page.get_by_role("heading", level=1)).to_have_text("Jobs")


def test_answers_that_come_late_are_waited_for_and_do_not_replace_newer_ones(
    page: Page, service: ServiceProcess
) -> None:
    service.submit(WAITING)
    held: list[Route] = []
    slow = re.compile(r"/v1/jobs\?.*search=came")

    def hold(route: Route) -> None:
        held.append(route)

    page.route(slow, hold)
    page.goto("/jobs?search=came")
    expect(page.get_by_role("status").filter(has_text="Loading")).to_be_visible()
    check_themes(page)
    page.get_by_label("Search").fill("zzz")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    for route in held:
        route.continue_()
    page.wait_for_timeout(300)
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.unroute(slow)
    page.get_by_label("Search").fill("came")
    expect(page.get_by_role("link", name="came back")).to_be_visible()
