"""Live surgery on the page of a running job: tried, applied, followed to its step, outrun, withdrawn and taken back."""

import re
from typing import Any

import httpx
from playwright.sync_api import Locator, Page, Route, expect

from tests.acceptance.service import ServiceProcess, digits_spec
from tests.web.browser import PageProblems, check_themes, check_width

LONG_MS = 60_000  # for what a busy machine trains meanwhile
LATE = {"step": 400_000}  # a step that no test waits for
DECAY = {"op": "set", "path": "training.optimizer.weight_decay", "value": 0.001}


def begin(service: ServiceProcess) -> tuple[str, str]:
    """Start a long job; return its id and that of its first linear layer, once it has trained a step."""
    job = service.submit(digits_spec(epochs=20_000, checkpoint={"every_steps": 100, "keep_last": 1000}))["id"]
    service.wait_for_step(job)
    with service.http as http:
        nodes = http.get(f"/v1/jobs/{job}/network").raise_for_status().json()["nodes"]
    return job, next(each["id"] for each in nodes if each["kind"] == "Linear")


def edit_by_program(http: httpx.Client, job: str, at: Any = "now") -> int:
    """Edit the job beside the page; return the edit's number."""
    document = {"at": at, "operations": [DECAY]}
    return int(http.post(f"/v1/jobs/{job}/edits", json=document).raise_for_status().json()["id"])


def row(page: Page, number: int) -> Locator:
    """Return an edit in the list of edits."""
    return page.locator(".surgery-edits > li").filter(
        has=page.locator("strong", has_text=re.compile(rf"^Edit {number}\b"))
    )


def draft_learning_rate(page: Page, value: str) -> Locator:
    """Put an edit together that sets the learning rate; return its panel."""
    page.get_by_label("Operation", exact=True).select_option("set")
    page.get_by_label("path", exact=True).fill("training.optimizer.lr")
    page.get_by_label("path", exact=True).blur()
    page.get_by_label(re.compile("^value")).fill(value)
    page.get_by_role("button", name="Add to the edit").click()
    return page.get_by_role("region", name="The edit")


def test_an_edit_is_tried_applied_and_followed(page: Page, service: ServiceProcess) -> None:
    job, node = begin(service)
    page.goto(f"/jobs/{job}/surgery?node={node}")
    page.get_by_label("Operation", exact=True).select_option("widen")
    page.get_by_label("to (optional)").fill("100")
    page.get_by_role("button", name="Add to the edit").click()
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("As it would be after the edit")).to_be_visible(timeout=LONG_MS)
    expect(page.locator(f".graph-box.changed[data-key={node}]")).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    expect(row(page, 1).locator(".status")).to_have_text("applied", timeout=LONG_MS)
    row(page, 1).get_by_role("link", name="what changed").click()
    expect(page.locator(f".graph-box.changed[data-key={node}]")).to_have_count(2)
    page.go_back()
    row(page, 1).get_by_role("link", name="of the curves").click()
    step = int(re.findall(r"pin=(\d+)", page.url)[0])
    with service.http as http:
        assert http.get(f"/v1/jobs/{job}/edits/1").json()["step"] == step
    pinned = page.get_by_role("region", name="Pinned steps")
    expect(pinned).to_contain_text(f"step {step:,}", timeout=LONG_MS)

    roll_back(page, service, job)


def roll_back(page: Page, service: ServiceProcess, job: str) -> None:
    """Take an applied edit back, while another one waits."""
    with service.http as http:
        edit_by_program(http, job, LATE)
    page.get_by_role("link", name="Surgery").click()
    expect(row(page, 2).locator(".status")).to_have_text("waits")
    panel = page.get_by_role("region", name="Roll back")
    earlier = panel.get_by_role("option", name=re.compile("^revision 1, ")).last
    value, text = earlier.evaluate("each => [each.value, each.textContent]")
    step = int(re.sub(r"\D", "", re.findall(r"step ([\d,]+)", text)[0]))
    panel.get_by_label("To a checkpoint").select_option(value=value)
    panel.get_by_role("button", name="Roll back").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("1 edit that waits is withdrawn")
    check_themes(page)
    dialog.get_by_role("button", name="Roll back").click()
    expect(row(page, 3)).to_contain_text(f"Back to revision 1, step {step:,}", timeout=LONG_MS)
    expect(row(page, 2).locator(".status")).to_have_text("withdrawn")
    expect(page.locator('[aria-label^="revision 3 of"]')).to_be_visible(timeout=LONG_MS)
    check_width(page)
    service.wait_for_step(job, step + 1)
    with service.http as http:
        nodes = http.get(f"/v1/jobs/{job}/network").raise_for_status().json()["nodes"]
    assert next(each["output"] for each in nodes if each["kind"] == "Linear") != [100]


def test_an_edit_that_was_outrun_is_written_anew_and_withdrawn(
    page: Page, service: ServiceProcess, problems: PageProblems
) -> None:
    problems.expect("status of 409")
    job, _ = begin(service)
    page.goto(f"/jobs/{job}/surgery")
    panel = draft_learning_rate(page, "0.002")

    def outrun(route: Route) -> None:
        """Let a program be faster than the first click."""
        if route.request.method == "POST" and not outrun_by:
            with service.http as http:
                outrun_by.append(edit_by_program(http, job, LATE))
        route.continue_()

    outrun_by: list[int] = []
    page.route("**/edits", outrun)
    panel.get_by_role("button", name="Apply").click()
    notice = panel.get_by_role("alert")
    expect(notice).to_contain_text("was written for revision 1, but the job is, or will be, at revision 2")
    expect(notice.get_by_role("link")).to_have_count(0)  # what waits has changed nothing yet
    check_themes(page)
    check_width(page)
    notice.get_by_role("button", name="Write it for revision 2").click()
    expect(notice).to_have_count(0)
    panel.get_by_label("When").select_option("step")
    panel.get_by_label("Which step").fill("450000")
    panel.get_by_role("button", name="Apply").click()
    expect(row(page, 2)).to_contain_text("at step 450,000")
    expect(row(page, 1)).to_contain_text("Edit 2 was checked with it")
    expect(row(page, 1).get_by_role("button", name="Withdraw")).to_have_count(0)
    for number in (2, 1):
        withdraw(page, number)
        expect(row(page, number).locator(".status")).to_have_text("withdrawn", timeout=LONG_MS)
    assert service.job(job)["revision"] == 1


def withdraw(page: Page, number: int) -> None:
    row(page, number).get_by_role("button", name="Withdraw").click()
    page.get_by_role("dialog").get_by_role("button", name="Withdraw").click()
