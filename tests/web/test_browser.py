"""What every browser test relies on finds what it looks for: a check that cannot fail would check nothing."""

import pytest
from playwright.sync_api import Page, Route

from tests.acceptance.service import ServiceProcess
from tests.web.browser import PageProblems, axe, check_themes, check_width

STRICT = "default-src 'none'; style-src 'self'; script-src 'self'"
GOOD = """<!doctype html><html lang="en"><head><title>Jobs</title></head><body><main><h1>Jobs</h1><p>None.</p></main>
</body></html>"""


def show(page: Page, html: str, policy: str = STRICT) -> None:
    """Show a document in place of the service's first page."""

    def answer(route: Route) -> None:
        route.fulfill(body=html, headers={"Content-Type": "text/html", "Content-Security-Policy": policy})

    page.route("**/shown", answer)
    page.goto("/shown")


def test_a_good_page_passes(fresh_page: Page) -> None:
    show(fresh_page, GOOD)
    check_themes(fresh_page)
    check_width(fresh_page)


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("<script>document.title = 'run'</script>", "content security policy: script-src-elem inline"),
        ("<p style='color: red'>red</p>", "content security policy: style-src-attr inline"),
        ("<img src='/v1/none.png' alt='none'>", "content security policy: img-src"),
    ],
    ids=["script", "style", "picture"],
)
def test_violations_of_the_policy_are_noticed(
    fresh_page: Page, problems: PageProblems, part: str, message: str
) -> None:
    with fresh_page.expect_event("console", lambda told: message in f"console: {told.text}"):
        show(fresh_page, GOOD.replace("<p>", f"{part}<p>"))
    assert any(message in each for each in problems.unexpected), problems.messages
    problems.expect("policy|Policy")


@pytest.mark.parametrize(
    ("event", "script"),
    [("console", "console.error('red')"), ("pageerror", "setTimeout(() => { throw new Error('red') })")],
)
def test_errors_of_a_page_are_noticed(fresh_page: Page, problems: PageProblems, event: str, script: str) -> None:
    show(fresh_page, GOOD)
    with fresh_page.expect_event(event):
        fresh_page.evaluate(script)
    assert any("red" in each for each in problems.unexpected)
    problems.expect("red")


@pytest.mark.parametrize(
    ("part", "rule"),
    [("<img src='data:,'>", "image-alt"), ("<a href='/'></a>", "link-name"), ("<h4>deep</h4>", "heading-order")],
)
def test_axe_finds(fresh_page: Page, problems: PageProblems, part: str, rule: str) -> None:
    show(fresh_page, GOOD.replace("<p>", f"{part}<p>"), policy=f"{STRICT}; img-src data:")
    with pytest.raises(AssertionError, match=rule):
        axe(fresh_page)


def test_a_wide_page_is_found(fresh_page: Page) -> None:
    show(fresh_page, GOOD.replace("None.", "wide" * 200))
    with pytest.raises(AssertionError, match="is wider than 360"):
        check_width(fresh_page)


def test_a_page_that_is_signed_in_may_ask(page: Page, service: ServiceProcess) -> None:
    show(page, GOOD, policy=f"{STRICT}; connect-src 'self'")
    status = page.evaluate("fetch('/v1/jobs', {headers: {'X-CSRF-Token': 'x'}}).then((answer) => answer.status)")
    assert status == 200
