"""The curves of a job: live through a restart, zoomed, pinned, saved and compared."""

import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.acceptance.service import ServiceProcess, digits_spec, wait_until
from tests.web.browser import PageProblems, check_width

SLOTS = ("--slots", "2")
CURVE = "performance.getEntriesByName('graftwerk-curve').length > 0"
FIRST_CHART = ".curve-panel .u-over"


@pytest.fixture(scope="module")
def two_jobs(shared_service: ServiceProcess) -> list[str]:
    """Ids of two jobs that differ in their learning rate and their seed."""
    shared_service.resume(*SLOTS)
    plans: list[dict[str, Any]] = [{"seed": 1}, {"seed": 2, "optimizer": {"kind": "Adam", "lr": 0.01}}]
    jobs = [shared_service.submit(digits_spec(epochs=3, **plan))["id"] for plan in plans]
    return [shared_service.wait(job, "succeeded")["id"] for job in jobs]


def open_curves(page: Page, address: str) -> None:
    page.goto(address)
    wait_until(lambda: page.evaluate(CURVE), "the curve")  # the policy of the page forbids wait_for_function


def points_on_page(page: Page, series: str) -> int:
    """Return how many points the page has of a series."""
    row = page.get_by_role("region", name="Best and last values").get_by_role("row", name=series)
    return int(row.get_by_role("cell").last.inner_text().replace(",", ""))


def test_a_live_curve_has_every_point_once_after_a_restart(
    page: Page, service: ServiceProcess, problems: PageProblems
) -> None:
    problems.expect("ERR_|status of 50")
    job = service.submit(digits_spec(epochs=500))["id"]
    service.wait_for_step(job)
    open_curves(page, f"/jobs/{job}?smooth=0.9")
    before = points_on_page(page, "train/loss")
    assert service.stop() == 0
    expect(page.get_by_role("status").filter(has_text="Connection lost")).to_be_visible()
    service.resume(*SLOTS)
    service.wait(job, "succeeded")
    expect(page.locator(".job-header .status")).to_contain_text("succeeded", timeout=60_000)
    with service.http as http:
        stored = http.get(f"/v1/jobs/{job}/metrics?names=train/loss").raise_for_status().json()["series"]["train/loss"]
    assert stored["points"] > before
    row = page.get_by_role("region", name="Best and last values").get_by_role("row", name="train/loss")
    expect(row.get_by_role("cell").last).to_have_text(f"{stored['points']:,}")


def test_zoom_pins_and_keys_are_in_the_address(page: Page, two_jobs: list[str]) -> None:
    open_curves(page, f"/jobs/{two_jobs[0]}")
    box = page.locator(FIRST_CHART).first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.2 * box["width"], middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], middle, steps=4)
    page.mouse.up()
    page.wait_for_url(re.compile(r"from=[\d.]+&to=[\d.]+"))
    page.mouse.click(box["x"] + 0.5 * box["width"], middle)
    page.wait_for_url(re.compile(r"pin=\d+"))
    expect(page.get_by_role("region", name="Pinned steps")).to_contain_text("train/loss")
    page.locator(".chart-plot").first.focus()
    page.keyboard.press("Escape")
    page.wait_for_url(lambda url: "from=" not in url)
    page.keyboard.press("+")
    page.wait_for_url(re.compile("from="))
    check_width(page)


def test_a_view_is_saved_as_one_file_that_runs_nothing(page: Page, two_jobs: list[str], tmp_path: Path) -> None:
    open_curves(page, f"/jobs/{two_jobs[0]}?y=log&smooth=0.9")
    for kind, content in (("HTML", "<svg"), ("SVG", "<svg"), ("CSV", "series,step,value,time,elapsed\n")):
        page.get_by_role("button", name="Save").click()
        with page.expect_download() as download:
            page.get_by_role("menuitem", name=kind).click()
        download.value.save_as(tmp_path / kind)
        text = (tmp_path / kind).read_text()
        assert content in text
        assert "<script" not in text
        assert "http-equiv" in text or kind != "HTML"


def test_two_jobs_are_compared(page: Page, two_jobs: list[str]) -> None:
    open_curves(page, "/jobs/compare?" + "&".join(f"job={job}" for job in two_jobs))
    table = page.get_by_role("region", name="Jobs that are compared")
    expect(table).to_contain_text("training.seed")
    expect(table).to_contain_text("0.01")
    expect(page.locator(".curve-panel").first.locator(".curve-legend tbody tr")).to_have_count(2)
    page.get_by_role("checkbox", name="Show").first.uncheck()
    expect(page.locator(".curve-panel").first.locator(".curve-legend tbody tr")).to_have_count(1)
    check_width(page)
