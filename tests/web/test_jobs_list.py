"""The list of jobs: what it shows while jobs come and end, where it looks, and what is done with several at once."""

import re
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.acceptance.service import ServiceProcess
from tests.web.browser import PageProblems, check_themes, check_width

LONG: dict[str, Any] = {
    "model": {"layers": [{"kind": "Linear", "out_features": 3}]},
    "data": {"kind": "builtin", "name": "iris", "validation": 0.2},
    "objective": {"loss": "CrossEntropyLoss", "metrics": ["accuracy"]},
    "training": {"steps": 1_000_000, "batch_size": 8},
}
SCRIPT = "<img src=x onerror=\"document.title='run'\">"


def row(page: Page, name: str) -> Locator:
    """Return the row of a job."""
    return page.get_by_role("row").filter(has=page.get_by_role("link", name=name, exact=True))


def submit(service: ServiceProcess, name: str, **changes: Any) -> str:
    return str(service.submit({**LONG, "name": name, **changes})["id"])


def test_rows_are_live_and_keep_their_places(page: Page, service: ServiceProcess) -> None:
    first = submit(service, f"first {SCRIPT}", metadata={"team": "vision"})
    page.goto("/jobs")
    expect(row(page, f"first {SCRIPT}")).to_contain_text("running", timeout=30_000)
    expect(row(page, f"first {SCRIPT}").get_by_role("img")).to_be_visible(timeout=30_000)  # its curve
    top = page.get_by_role("row").nth(1)
    submit(service, "came later", not_before="2099-01-01T00:00:00Z")
    announced = page.get_by_role("button", name="1 new job: show")
    expect(announced).to_be_visible(timeout=20_000)
    expect(top).to_contain_text("first")
    announced.click()
    expect(top).to_contain_text("came later")
    expect(top).to_contain_text("waits for its time", timeout=20_000)
    assert page.title() != "run"
    check_themes(page)
    check_width(page)
    with service.http as http:
        http.post(f"/v1/jobs/{first}/cancel").raise_for_status()
    expect(row(page, f"first {SCRIPT}")).to_contain_text("cancelled", timeout=20_000)


def test_filters_stand_in_the_address(page: Page, service: ServiceProcess) -> None:
    submit(service, "apples", metadata={"fruit": "yes"})
    submit(service, "pears", metadata={"fruit": "yes"})
    page.goto("/jobs?search=appl")
    expect(row(page, "apples")).to_be_visible()
    expect(row(page, "pears")).to_have_count(0)
    page.get_by_label("Search").fill("zzz")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    check_themes(page)
    page.get_by_role("button", name="Clear the filters").last.click()
    expect(row(page, "pears")).to_be_visible()
    row(page, "pears").get_by_role("button", name="fruit=yes").click()
    expect(page).to_have_url(re.compile("label=fruit%3Dyes"))
    expect(row(page, "apples")).to_be_visible()
    page.get_by_label("Label").fill("fruit=no")
    page.get_by_label("Label").press("Enter")
    expect(page.get_by_role("heading", name="No job matches")).to_be_visible()
    page.go_back()


def test_several_are_cancelled_deleted_and_restored_by_keyboard(
    page: Page, service: ServiceProcess, problems: PageProblems
) -> None:
    problems.expect("status of 404.*metrics")  # of a job that was deleted while its curve was asked for
    ids = [submit(service, name) for name in ("one", "two", "three")]
    page.goto("/jobs")
    page.get_by_label("Select three", exact=True).focus()
    page.keyboard.press("Space")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Shift+ArrowDown")
    bar = page.get_by_role("region", name="Selected jobs")
    expect(bar).to_contain_text("3 jobs selected")
    bar.get_by_role("button", name="Cancel 3").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel 3").click()
    for name in ("one", "two", "three"):
        expect(row(page, name)).to_contain_text("cancelled", timeout=30_000)
    page.get_by_label("Select three", exact=True).check()
    page.get_by_label("Select two", exact=True).check()
    bar.get_by_role("button", name="Delete 2").click()
    check_themes(page)
    page.get_by_role("dialog").get_by_role("button", name="Delete 2").click()
    expect(row(page, "two")).to_contain_text("no longer listed")
    page.get_by_role("link", name="Trash").click()
    page.get_by_label("Select two", exact=True).check()
    bar.get_by_role("button", name="Restore").click()
    expect(page.get_by_text("1 job restored")).to_be_visible()
    assert service.job(ids[1])["status"] == "cancelled"


def test_pages_go_to_older_jobs_and_back(page: Page, service: ServiceProcess) -> None:
    for number in range(52):
        submit(service, f"job {number}", not_before="2099-01-01T00:00:00Z")
    page.goto("/jobs?search=job%20")
    expect(row(page, "job 51")).to_be_visible()
    page.get_by_role("button", name="Older").click()
    expect(row(page, "job 0")).to_be_visible()
    expect(row(page, "job 51")).to_have_count(0)
    page.get_by_role("button", name="Newest").click()
    expect(row(page, "job 51")).to_be_visible()
    page.go_back()
    expect(row(page, "job 0")).to_be_visible()
