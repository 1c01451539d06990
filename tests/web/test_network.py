"""The drawing of a job's network, and live surgery on its page."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.acceptance.service import ServiceProcess, digits_spec, wait_until
from tests.web.work import train_table

LONG_MS = 60_000  # for what a busy machine trains meanwhile


def test_a_network_is_walked_by_keyboard_searched_and_saved(page: Page, service: ServiceProcess) -> None:
    job = train_table(service)
    page.goto(f"/jobs/{job['id']}/network")
    box = page.locator(".graph-box[data-key=first]")
    box.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".graph-box:focus")).to_have_attribute("data-key", "bend")
    page.keyboard.press("Enter")
    expect(page.get_by_role("complementary", name="Details")).to_contain_text("ReLU")
    page.get_by_role("searchbox").fill("scores")
    expect(page).to_have_url(re.compile("node=scores"))
    expect(page.get_by_role("complementary", name="Details")).to_contain_text(
        re.compile("weight2 . 16")  # its parameter, and the shape
    )
    with page.expect_download() as saved:
        page.get_by_role("button", name="SVG").click()
    text = Path(saved.value.path()).read_text()
    assert "scores" in text
    assert not re.search(r"var\(|class=|color-mix", text)  # other programs read it, too
    page.get_by_role("button", name="Table").click()
    expect(page.get_by_role("region", name="Nodes of the network").get_by_role("row")).to_have_count(4)


def test_an_edit_is_tried_applied_and_compared(page: Page, service: ServiceProcess) -> None:
    job = service.submit(digits_spec(epochs=2000))
    with service.http as http:
        wait_until(lambda: http.get(f"/v1/jobs/{job['id']}").json()["progress"].get("step"), "the first step")
        nodes = http.get(f"/v1/jobs/{job['id']}/network").json()["nodes"]
    node = next(each for each in nodes if each["kind"] == "Linear" and each["id"] != nodes[-1]["id"])["id"]
    page.goto(f"/jobs/{job['id']}/surgery?node={node}")
    page.get_by_label("Operation", exact=True).select_option("widen")
    page.get_by_label("to (optional)").fill("100")
    page.get_by_role("button", name="Add to the edit").click()
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("As it would be after the edit")).to_be_visible(timeout=LONG_MS)
    expect(page.locator(f".graph-box.changed[data-key={node}]")).to_be_visible()
    page.get_by_role("button", name="Apply").click()
    expect(page.locator(".surgery-edits .status")).to_have_text("applied", timeout=LONG_MS)
    page.get_by_role("link", name="what changed").click()
    expect(page.locator(f".graph-box.changed[data-key={node}]")).to_have_count(2)
