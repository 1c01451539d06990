"""Every page in both themes: accessible, as wide as a phone, silent on the console; and names are text."""

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.service import ServiceProcess
from tests.web.browser import PageProblems, check_themes, check_width
from tests.web.work import HOSTILE, train_table

PAGES = (
    "/jobs",
    "/jobs/new",
    "/jobs/compare?job={job}",
    "/jobs/{job}",
    "/jobs/{job}/network",
    "/jobs/{job}/surgery",
    "/jobs/{job}/evaluation",
    "/jobs/{job}/predict",
    "/jobs/{job}/checkpoints",
    "/jobs/{job}/events",
    "/jobs/{job}/spec",
    "/datasets",
    "/datasets/{dataset}",
    "/workers",
    "/keys",
    "/webhooks",
    "/audit",
    "/catalog",
    "/reference",
)


@pytest.fixture(scope="module")
def trained(shared_service: ServiceProcess) -> dict[str, str]:
    """The ids of a job that was trained and of its data, whose names are markup."""
    job = train_table(shared_service, HOSTILE, metadata={"purpose": HOSTILE})
    with shared_service.http as http:
        http.post("/v1/keys", json={"name": HOSTILE, "scopes": ["read"]}).raise_for_status()
    return {"job": job["id"], "dataset": job["spec"]["data"]["id"]}


def open_page(page: Page, address: str) -> None:
    """Open a page of the dashboard, and wait until it shows more than that it is loading."""
    page.goto(address)
    expect(page.locator("main h1, main h2").first).to_be_visible()
    expect(page.locator(".loading")).to_have_count(0)


@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_accessible_and_narrow_and_takes_names_for_text(
    page: Page, trained: dict[str, str], address: str
) -> None:
    open_page(page, address.format(**trained))
    check_themes(page)
    check_width(page)
    assert page.locator("img[src=x]").count() == 0
    assert page.title() != "broken"


def test_names_that_are_markup_are_shown_as_they_are(page: Page, trained: dict[str, str]) -> None:
    open_page(page, "/jobs")
    expect(page.get_by_role("link", name=HOSTILE)).to_be_visible()
    open_page(page, f"/jobs/{trained['job']}")
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)
    assert page.title() != "broken"


def test_nobody_is_shown_anything_without_signing_in(
    fresh_page: Page, trained: dict[str, str], problems: PageProblems
) -> None:
    problems.expect("status of 401")
    fresh_page.goto(f"/jobs/{trained['job']}/network")
    expect(fresh_page.get_by_label("Key")).to_be_visible()
    check_themes(fresh_page)
    check_width(fresh_page)
    assert HOSTILE not in fresh_page.content()


def test_a_page_that_does_not_exist_says_so(page: Page) -> None:
    page.goto("/nothing/here")
    expect(page.locator("main")).to_contain_text("no such page", ignore_case=True)
    check_themes(page)
