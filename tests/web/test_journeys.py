"""What people do on the pages, from the link that signs them in to the weights."""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.acceptance.service import ServiceProcess, digits_spec, wait_until
from tests.web.browser import PageProblems, check_themes, check_width
from tests.web.work import table_bytes

LONG_MS = 60_000  # for what a busy machine trains meanwhile


def write_spec(page: Page, spec: Any) -> None:
    """Replace what is in the editor."""
    page.get_by_role("textbox", name="The job's spec").fill(
        spec if isinstance(spec, str) else json.dumps(spec, indent=1)
    )


def status(page: Page) -> Locator:
    """Return the status in the head of a job's page."""
    return page.locator(".job-header .status").first


def points(page: Page, series: str) -> int:
    """Return how many points of a series the page has, by its table of best and last values."""
    row = page.get_by_role("region", name="Best and last values").get_by_role("row").filter(has_text=series)
    return int(re.sub(r"\D", "", row.get_by_role("cell").last.inner_text()))


def recorded(service: ServiceProcess, job_id: str) -> dict[str, int]:
    """Return how many points the service has of each series."""
    with service.http as http:
        answer = http.get(f"/v1/jobs/{job_id}/metrics", headers={"Accept": "text/csv"}).raise_for_status()
    counts: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(answer.text)):
        name = row.get("series") or row["name"]
        counts[name] = counts.get(name, 0) + 1
    return counts


def test_a_link_signs_in_once(fresh_page: Page, service: ServiceProcess, problems: PageProblems) -> None:
    problems.expect("status of 40[134]")
    with service.http as http:
        link = http.post("/v1/session/links").raise_for_status().json()["url"]
    fresh_page.goto(link)
    expect(fresh_page.get_by_role("heading", level=1)).to_have_text("Jobs")
    assert "link=" not in fresh_page.url
    fresh_page.locator("header .menu button").first.click()
    fresh_page.get_by_role("menuitem", name="Sign out").click()
    expect(fresh_page.get_by_label("Key")).to_be_visible()
    fresh_page.goto("about:blank")
    fresh_page.goto(link)
    expect(fresh_page.get_by_text("This link has been used")).to_be_visible()
    fresh_page.get_by_label("Key").fill((service.home / "key").read_text().strip())
    fresh_page.get_by_role("button", name="Sign in").click()
    expect(fresh_page.get_by_role("heading", level=1)).to_have_text("Jobs")
    assert fresh_page.evaluate("document.cookie") == "", "scripts do not see the session"


def test_a_job_is_written_watched_cancelled_and_saved(page: Page, service: ServiceProcess) -> None:
    page.goto("/jobs/new")
    write_spec(page, digits_spec(epochs=3000))
    expect(page.get_by_text("The job would be accepted")).to_be_visible()
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/job_*")
    expect(status(page)).to_contain_text("running", timeout=LONG_MS)
    expect(page.get_by_role("region", name="Best and last values")).to_be_visible(timeout=LONG_MS)
    first = points(page, "train/loss")
    wait_until(lambda: points(page, "train/loss") > first, "a live point")
    check_themes(page)
    check_width(page)
    page.get_by_role("group", name="Actions").get_by_role("button", name="Cancel").click()
    expect(status(page)).to_contain_text("cancelled", timeout=LONG_MS)
    page.get_by_role("button", name="Save").click()
    with page.expect_download() as download:
        page.get_by_role("menuitem", name="CSV").click()
    content = Path(download.value.path()).read_text()
    job_id = page.url.rpartition("/")[2].partition("?")[0]
    assert content.count("train/loss") == recorded(service, job_id)["train/loss"]


def test_a_curve_has_every_point_once_after_the_api_was_killed(
    page: Page, service: ServiceProcess, problems: PageProblems
) -> None:
    problems.expect("ERR_|Failed to load resource|Failed to fetch|network error")
    job_id = service.submit(digits_spec(epochs=150))["id"]
    page.goto(f"/jobs/{job_id}")
    expect(page.get_by_role("region", name="Best and last values")).to_be_visible(timeout=LONG_MS)
    wait_until(lambda: points(page, "train/loss") > 50, "some points")
    (api, *_) = service.processes("-m app.api") or service.processes("app.api")
    api.kill()
    service.wait(job_id, "succeeded", seconds=120) if wait_until(service.is_ready, "another API", 60) else None
    expect(status(page)).to_contain_text("succeeded", timeout=LONG_MS)
    counts = recorded(service, job_id)
    for series in ("train/loss", "val/loss"):
        wait_until(lambda name=series: points(page, name) == counts[name], f"{counts[series]} points of {series}", 20)


def test_a_mistake_is_marked_at_its_line_and_mended_by_its_hint(page: Page, problems: PageProblems) -> None:
    problems.expect("status of 422")
    page.goto("/jobs/new")
    spec = digits_spec()
    spec["model"]["layers"][1]["kind"] = "Linaer"
    write_spec(page, spec)
    text = json.dumps(spec, indent=1)
    line = text[: text.index("Linaer")].count("\n") + 1
    problem = page.get_by_role("list", name="Problems").get_by_role("listitem").first
    expect(problem).to_contain_text(f"line {line}")
    expect(page.locator(".cm-lintRange-error, .cm-lint-marker-error").first).to_be_visible()
    expect(page.get_by_role("button", name="Submit")).to_be_disabled()
    check_themes(page)
    problem.locator(".fix").first.click()
    expect(page.get_by_text("The job would be accepted")).to_be_visible()


def test_a_table_is_uploaded_described_and_trained(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "plants.csv"
    file.write_bytes(table_bytes())
    page.goto("/datasets")
    page.locator("input[type=file]").first.set_input_files(file)
    page.wait_for_url("**/datasets/ds_*")
    columns = page.get_by_role("region", name="Columns")
    expect(columns.get_by_role("row").filter(has_text="height")).to_contain_text("number")
    expect(columns.get_by_role("row").filter(has_text="kind")).to_contain_text("target")
    page.get_by_role("button", name="Propose").click()
    page.get_by_role("link", name="Open in the editor").click()
    expect(page.get_by_text("The job would be accepted")).to_be_visible()
    page.get_by_role("button", name="Submit").click()
    page.wait_for_url("**/jobs/job_*")
    expect(status(page)).to_contain_text("succeeded", timeout=LONG_MS)
    page.get_by_role("link", name="Try it").first.click()
    page.get_by_label("height").fill("16.2")
    page.get_by_label("width").fill("3.1")
    page.get_by_role("button", name="Predict").click()
    answer = page.locator(".predict-answer")
    expect(answer).to_contain_text("oak", timeout=LONG_MS)
    check_themes(page)


def test_two_jobs_are_compared_by_what_differs(page: Page, service: ServiceProcess) -> None:
    for rate in (0.001, 0.01):
        spec = digits_spec(epochs=1, optimizer={"kind": "Adam", "lr": rate})
        service.submit({**spec, "name": f"rate {rate}"})
    page.goto("/jobs?search=rate")
    for rate in (0.001, 0.01):
        page.get_by_role("checkbox", name=f"Select rate {rate}", exact=True).check()
    page.get_by_role("button", name="Compare").click()
    page.wait_for_url("**/jobs/compare?*")
    main = page.locator("main")
    expect(main.get_by_role("heading", level=1)).to_have_text("2 jobs compared")
    expect(main).to_contain_text("rate 0.001")
    expect(main).to_contain_text("rate 0.01")
    expect(main.get_by_label("Colour")).to_contain_text("training.optimizer.lr")
    expect(main.locator("canvas").first).to_be_visible(timeout=LONG_MS)
    check_themes(page)
    check_width(page)


def test_weights_are_downloaded_from_a_checkpoint(page: Page, service: ServiceProcess) -> None:
    job = service.wait(service.submit(digits_spec(epochs=1))["id"], "succeeded")
    page.goto(f"/jobs/{job['id']}/checkpoints")
    page.get_by_role("region", name="Checkpoints").get_by_role("button", name="Files").first.click()
    with page.expect_download() as download:
        page.get_by_role("link", name="weights.safetensors").first.click()
    content = Path(download.value.path()).read_bytes()
    with service.http as http:
        expected = http.get(f"/v1/jobs/{job['id']}/weights", params={"which": "latest"}).raise_for_status().content
    assert content == expected
