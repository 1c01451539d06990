"""The documentation at /docs of a running service, under its policy."""

import pytest
from playwright.sync_api import Page, expect

from docs.website.build import address
from docs.website.navigation import sections
from tests.web.browser import PageProblems, check_themes, check_width

PAGES = [address(source) for sources in sections().values() for source in sources]


@pytest.mark.parametrize("path", ["", "tutorial.html", "systems.html", "states.html", "notebooks/quickstart.html"])
def test_pages_are_accessible(fresh_page: Page, path: str) -> None:
    fresh_page.goto(f"/docs/{path}")
    check_themes(fresh_page)


def test_no_page_is_wider_than_a_phone_or_breaks_the_policy(fresh_page: Page) -> None:
    for path in PAGES:
        fresh_page.goto(f"/docs/{path}", wait_until="domcontentloaded")
        expect(fresh_page.locator("h1").first).to_be_visible()
        check_width(fresh_page)


def test_search_by_keyboard(fresh_page: Page) -> None:
    fresh_page.goto("/docs/howto/backup.html")
    fresh_page.keyboard.press("/")
    fresh_page.keyboard.type("grow_vocab")
    expect(fresh_page.get_by_role("option").first).to_contain_text("Live surgery")
    check_themes(fresh_page)
    fresh_page.keyboard.press("Enter")
    fresh_page.wait_for_url("**/docs/surgery.html#*")
    fresh_page.keyboard.press("/")
    expect(fresh_page.get_by_role("combobox")).to_be_focused()
    fresh_page.keyboard.type("zzzz")
    expect(fresh_page.get_by_role("combobox")).to_have_value("zzzz")
    expect(fresh_page.get_by_role("option")).to_have_text("Nothing has zzzz.")


def test_the_theme_is_that_of_the_dashboard(fresh_page: Page) -> None:
    fresh_page.emulate_media(color_scheme="light")
    fresh_page.goto("/docs/")
    root = fresh_page.locator("html")
    expect(root).to_have_attribute("data-theme", "light")
    button = fresh_page.get_by_role("button", name="Theme")
    button.click()
    button.click()
    expect(root).to_have_attribute("data-theme", "dark")
    assert fresh_page.evaluate("localStorage.getItem('graftwerk-theme')") == "dark"
    fresh_page.goto("/docs/spec.html")
    expect(root).to_have_attribute("data-theme", "dark")


def test_the_list_of_pages_opens_on_a_phone(fresh_page: Page) -> None:
    fresh_page.set_viewport_size({"width": 360, "height": 740})
    fresh_page.goto("/docs/")
    pages = fresh_page.get_by_role("navigation", name="Pages")
    expect(pages).to_be_hidden()
    fresh_page.get_by_role("button", name="Pages").click()
    pages.get_by_role("link", name="Back up and restore").click()
    expect(fresh_page.get_by_role("heading", level=1)).to_have_text("Back up and restore")


def test_a_page_that_is_not_there_has_the_list_of_those_that_are(fresh_page: Page, problems: PageProblems) -> None:
    problems.expect("status of 404")
    response = fresh_page.goto("/docs/howto/nothing.html")
    assert response is not None
    assert response.status == 404
    fresh_page.get_by_role("link", name="Data sets").first.click()
    expect(fresh_page.get_by_role("heading", level=1)).to_have_text("Data sets")
