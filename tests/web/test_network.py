"""The drawing of a job's network on its page."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.acceptance.service import ServiceProcess
from tests.web.work import train_table


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
