"""A job from the page: an example, mistakes at their lines, clicks that mend them, the network as it is typed."""

import json
import re

from playwright.sync_api import Locator, Page, expect

from tests.acceptance.service import ServiceProcess
from tests.web.browser import PageProblems, check_themes, check_width

ACCEPTED = re.compile("would be accepted")
DIGITS = {"data": {"kind": "builtin", "name": "digits"}, "objective": {"loss": "CrossEntropyLoss"}}
EDITOR = '[aria-label="The job\'s spec, as JSON"]'


def editor(page: Page) -> Locator:
    """Return the editor's text."""
    return page.locator(EDITOR)


def write(page: Page, text: str) -> None:
    """Replace the editor's text as a paste does: without the brackets that typing adds."""
    editor(page).click()
    page.keyboard.press("Control+a")
    page.keyboard.insert_text(text)


def test_an_example_is_submitted(page: Page, service: ServiceProcess) -> None:
    page.goto("/jobs/new?example=fully-connected")
    expect(page.get_by_role("status").filter(has_text=ACCEPTED)).to_be_visible()
    expect(page.get_by_text("Parameters", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Linear")).first).to_be_visible()
    check_themes(page)
    check_width(page)
    editor(page).click()
    page.keyboard.press("Control+Enter")
    page.wait_for_url(re.compile("/jobs/job_[0-9a-f]{32}"))
    assert service.job(page.url.rsplit("/", 1)[-1])["name"] == "Which grower's wine"


def test_a_mistake_is_shown_at_its_line_and_mended_by_a_click(page: Page, problems: PageProblems) -> None:
    problems.expect("status of 422")  # what the validation answers
    page.goto("/jobs/new")
    expect(page.get_by_role("heading", name="Begin with an example")).to_be_visible()
    layers = ["Flaten", {"kind": "Linear", "out_features": 10}]
    write(page, json.dumps({"model": {"layers": layers}} | DIGITS, indent=1))
    problem = page.get_by_role("listitem").filter(has_text='there is no kind "Flaten"')
    expect(problem).to_contain_text("line 4")
    expect(page.locator(".cm-lintRange-error")).to_have_text('"Flaten"')
    check_themes(page)
    check_width(page)
    problem.get_by_role("button", name='use "Flatten"', exact=True).click()
    expect(page.get_by_role("status").filter(has_text=ACCEPTED)).to_be_visible()
    expect(editor(page)).to_contain_text('"Flatten"')


def test_a_network_that_does_not_fit_is_drawn_as_far_as_it_does(page: Page, problems: PageProblems) -> None:
    problems.expect("status of 422")
    page.goto("/jobs/new")
    layers = ["Flatten", {"kind": "Linear", "in_features": 63, "out_features": 10}]
    write(page, json.dumps(DIGITS | {"model": {"layers": layers}}, indent=1))
    expect(page.get_by_role("listitem").filter(has_text="expects 63 features but receives 64")).to_be_visible()
    expect(page.get_by_role("button", name=re.compile("^Flatten")).first).to_be_visible()


def test_what_can_stand_at_the_cursor_is_said_and_written(page: Page, problems: PageProblems) -> None:
    problems.expect("status of 422")
    page.goto("/jobs/new")
    editor(page).click()
    page.keyboard.type('{"mod')
    expect(page.get_by_role("option", name=re.compile("^model"))).to_be_visible()
    page.wait_for_timeout(200)  # a key that comes with the list is not meant for it
    page.keyboard.press("Enter")
    expect(editor(page)).to_contain_text('{"model":')
    write(page, '{"model": {"layers": [')
    page.keyboard.type('"Lin')
    option = page.get_by_role("option", name=re.compile("^Linear"))
    expect(option).to_be_visible()
    option.click()
    expect(editor(page)).to_contain_text('{"kind": "Linear", "out_features": }')


def test_what_was_written_outlives_a_reload(page: Page, problems: PageProblems) -> None:
    problems.expect("status of 422")
    page.goto("/jobs/new")
    write(page, '{"name": "not lost"}')
    expect(page.get_by_role("listitem").first).to_be_visible()
    page.reload()
    expect(editor(page)).to_contain_text("not lost")
    page.get_by_role("button", name="Begin anew").click()
    expect(editor(page)).not_to_contain_text("not lost")
    page.reload()
    expect(page.get_by_role("heading", name="Begin with an example")).to_be_visible()
