"""Signing in, and the pages of keys, webhooks, the audit, workers, the catalogue and the API."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.acceptance.service import ServiceProcess, wait_until
from tests.web.browser import PageProblems, check_themes, check_width

XSS = "<img src=x onerror=\"document.title='run'\">"
QUEUED = {
    "name": "a job",
    "data": {"kind": "builtin", "name": "iris"},
    "model": {"layers": [{"kind": "Linear", "out_features": 3}]},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}},
    "training": {"epochs": 1},
    "not_before": "2999-01-01T00:00:00Z",
}
PAGES = {"/catalog?search=conv&kind=Conv2d": "Catalogue", "/reference?operation=create_edit": "API reference"}


@pytest.fixture
def http(service: ServiceProcess) -> Iterator[httpx.Client]:
    with service.http as client:
        yield client


def printed_link(service: ServiceProcess, *words: str) -> str:
    """Return the link that `graftwerk open` prints."""
    command = [sys.executable, "-m", "graftwerk", "open", "--print", *words]
    environment = os.environ | {"GRAFTWERK_HOME": str(service.home)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


def logged_links(service: ServiceProcess) -> list[str]:
    return re.findall(r"ten minutes: (http://\S+#link=gwl_\S+)", service.log)


def test_a_link_that_was_used_is_no_dead_end(
    fresh_page: Page, context: BrowserContext, problems: PageProblems, service: ServiceProcess
) -> None:
    problems.expect("status of 401")  # who is signed in is asked for first
    with service.http as http:
        job = http.post("/v1/jobs", json=QUEUED).raise_for_status().json()
    link = printed_link(service, job["id"])
    fresh_page.goto(link)
    expect(fresh_page.get_by_role("heading", level=1)).to_have_text(job["name"])
    assert "gwl_" not in fresh_page.url
    (cookie,) = [each for each in context.cookies() if each["name"] == f"graftwerk_session_{service.port}"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    assert fresh_page.evaluate("document.cookie") == ""
    fresh_page.goto(link)  # this browser is signed in already
    expect(fresh_page.get_by_role("heading", level=1)).to_have_text(job["name"])
    context.clear_cookies()
    fresh_page.goto(link)
    expect(fresh_page.get_by_text("This link has been used or has expired")).to_be_visible()


def test_a_signal_prints_a_link_that_signs_in(
    fresh_page: Page, problems: PageProblems, service: ServiceProcess
) -> None:
    problems.expect("status of 401")
    before = logged_links(service)
    assert before  # one at the start
    assert service.process is not None
    service.process.send_signal(signal.SIGUSR1)
    wait_until(lambda: len(logged_links(service)) > len(before), "another link")
    fresh_page.goto(logged_links(service)[-1])
    fresh_page.wait_for_url("**/jobs", timeout=30_000)
    expect(fresh_page.get_by_role("heading", level=1)).to_have_text("Jobs")


def test_a_key_signs_in_and_one_tab_signs_all_out(
    fresh_page: Page, context: BrowserContext, problems: PageProblems, service: ServiceProcess
) -> None:
    problems.expect("status of 401")
    fresh_page.goto("/workers")
    field = fresh_page.get_by_label("Key", exact=True)
    field.fill("gw_x_y")
    fresh_page.keyboard.press("Enter")
    expect(field).to_have_attribute("aria-invalid", "true")
    check_themes(fresh_page)
    check_width(fresh_page)
    field.fill((service.home / "key").read_text().strip())
    fresh_page.keyboard.press("Enter")
    expect(fresh_page.get_by_role("heading", name="Workers", exact=True)).to_be_visible()  # where one wanted to go
    other = context.new_page()
    other.goto("/keys")
    expect(other.get_by_role("heading", name="Keys and limits")).to_be_visible()
    fresh_page.get_by_role("button", name=re.compile("^first")).click()
    fresh_page.get_by_role("menuitem", name="Sign out").click()
    for tab in (fresh_page, other):
        expect(tab.get_by_label("Key", exact=True)).to_be_visible()


@pytest.mark.parametrize(("path", "heading"), PAGES.items(), ids=[path.partition("?")[0] for path in PAGES])
def test_details_are_accessible_and_fit_a_phone(page: Page, path: str, heading: str) -> None:
    page.goto(path)
    expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
    expect(page.get_by_role("status").filter(has_text="Loading")).to_have_count(0)
    check_themes(page)
    check_width(page)


def test_a_key_is_created_rotated_and_revoked(page: Page, http: httpx.Client) -> None:
    page.goto("/keys")
    page.get_by_role("button", name="New key").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill(XSS)
    dialog.get_by_text("Limits of its own").click()
    dialog.get_by_label("Jobs that wait at once").fill("7")
    check_themes(page)
    dialog.get_by_role("button", name="Create").click()
    token = page.locator("pre.secret").inner_text()
    assert httpx.get(f"{http.base_url}/v1/usage", headers={"Authorization": f"Bearer {token}"}).status_code == 200
    page.get_by_role("button", name="I have stored it").click()
    row = page.get_by_role("row").filter(has_text=XSS)
    expect(row).to_contain_text("queued_jobs: 7")
    row.get_by_role("button", name="Rotate").click()
    page.get_by_role("dialog").get_by_label("The old token opens").select_option("not at all")
    page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    assert page.locator("pre.secret").inner_text() != token
    page.get_by_role("button", name="I have stored it").click()
    row.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("revoked")
    assert page.title() != "run"  # names are text


def test_a_mistake_in_a_form_is_told_at_its_place(page: Page, problems: PageProblems) -> None:
    problems.expect("status of 422")
    page.goto("/webhooks")
    page.get_by_role("button", name="New webhook").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Address").fill("http://127.0.0.1/")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog.get_by_role("alert")).to_contain_text("/url")


def test_the_audit_is_filtered_by_its_address(page: Page, http: httpx.Client) -> None:
    key = http.post("/v1/keys", json={"name": "x"}).raise_for_status().json()["id"]
    http.delete(f"/v1/keys/{key}").raise_for_status()
    page.goto(f"/audit?target={key}")
    rows = page.get_by_role("row")
    expect(rows).to_have_count(3)
    page.get_by_label("Action").select_option("key.revoke")
    expect(rows).to_have_count(2)
    assert "action=key.revoke" in page.url


def test_a_request_is_tried_with_the_session(page: Page, problems: PageProblems) -> None:
    problems.expect("status of 422")
    page.goto("/reference?operation=validate_job")
    form = page.get_by_role("form", name="Try it")
    form.get_by_label("Body").fill('{"model": 1}')
    form.get_by_role("button", name="Send").click()
    expect(form.get_by_role("alert")).to_contain_text("/model")
    page.goto("/reference?operation=read_usage")
    page.get_by_role("button", name="Send", exact=True).click()
    expect(page.locator("pre.answer")).to_contain_text('"owner": "operator"')


def test_a_kind_is_found_by_keyboard(page: Page) -> None:
    page.goto("/catalog")
    page.get_by_label("Search").fill("multihead attention")
    page.get_by_role("button", name=re.compile("^MultiheadAttention")).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("article", name="MultiheadAttention")).to_contain_text("num_heads")
    assert "kind=MultiheadAttention" in page.url
