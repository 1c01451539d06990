"""The pictures of the tutorial and the README, made on a real service: ``python docs/screenshots.py`` from the root.

It needs Chromium, a build of the pages (``make web``), and some minutes. Pictures are WebP, at most 100 KB each.
"""

import io
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect

from tests.acceptance.service import ServiceProcess, digits_spec, running_service
from tests.docs.guides import blocks
from tests.web.browser import find_chromium, open_browser

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "docs" / "pictures"
SIZE = {"width": 1200, "height": 760}
MAX_BYTES = 100_000
STEPS_SECONDS = 300
EDITS = (
    {"at": {"step": 800}, "operations": [{"op": "widen", "node": "linear1", "to": 128}]},
    {"at": {"step": 1800}, "operations": [{"op": "set", "path": "training.optimizer.lr", "value": 0.0003}]},
)


def example(name: str) -> dict[str, Any]:
    """Return a job of examples/."""
    return dict(json.loads((ROOT / "examples" / f"{name}.json").read_text()))


def train_jobs(service: ServiceProcess) -> dict[str, str]:
    """Train what the pictures show; return ids by name."""
    ids = {"edited": service.submit(digits_spec(epochs=120) | {"name": "edited while it trains"})["id"]}
    for edit in EDITS:
        with service.http as http:
            http.post(f"/v1/jobs/{ids['edited']}/edits", json=edit).raise_for_status()
    for name in ("residual-cnn", "mixture-of-experts"):
        ids[name] = service.submit(example(name))["id"]
    ids["dataset"], ids["table"] = train_table(service)
    for name in ids.keys() - {"dataset"}:
        service.wait(ids[name], seconds=STEPS_SECONDS)
    ids["running"] = service.submit(digits_spec(epochs=100_000) | {"name": "a long one"})["id"]
    service.wait_for_step(ids["running"])
    return ids


def train_table(service: ServiceProcess) -> tuple[str, str]:
    """Register the tutorial's table of rents and train what is proposed for it; return both ids."""
    script = next(block.code for block in blocks(ROOT / "docs" / "tutorial.md") if block.file == "flats.py")
    table = written_by(script)
    with service.http as http:
        source = {"kind": "upload", "file": "flats.csv", "target": "rent"}
        made = http.post("/v1/datasets", json={"name": "flats", "source": source}).raise_for_status().json()
        http.put(f"/v1/datasets/{made['id']}/content", content=table).raise_for_status()
        answer = http.post(f"/v1/datasets/{made['id']}/propose", json={"target": "rent"}, timeout=60)
        spec = answer.raise_for_status().json()["spec"]
    return made["id"], service.submit(spec | {"name": "rents"})["id"]


def written_by(script: str) -> bytes:
    """Return the table that the tutorial's script writes."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "flats.py").write_text(script)
        subprocess.run([sys.executable, "flats.py"], cwd=folder, check=True)
        return (Path(folder) / "flats.csv").read_bytes()


def ask(page: Page) -> None:
    """Ask the network of the table something."""
    page.get_by_role("button", name="Predict").click()
    expect(page.locator(".predict-answer")).not_to_contain_text("The answer comes here", timeout=60_000)


def fit(page: Page) -> None:
    """Show the whole drawing of a network."""
    page.get_by_role("button", name="Fit").click()
    page.get_by_role("button", name="Fit").evaluate("(button) => button.scrollIntoView({block: 'start'})")
    page.wait_for_timeout(500)


# Picture → address, and what is done on the page before it is taken.
PICTURES: Mapping[str, tuple[str, Callable[[Page], None] | None]] = {
    "jobs": ("/jobs", None),
    "curves": ("/jobs/{edited}?smooth=0.9", None),
    "network": ("/jobs/{mixture-of-experts}/network", fit),
    "surgery": ("/jobs/{running}/surgery", None),
    "data": ("/datasets/{dataset}", None),
    "predict": ("/jobs/{table}/predict", ask),
}


def take(page: Page, name: str, ids: Mapping[str, str]) -> None:
    """Write a picture, as good as its limit of size allows."""
    address, prepare = PICTURES[name]
    page.goto(address.format_map(ids))
    expect(page.locator("main h1").first).to_be_visible(timeout=30_000)
    expect(page.locator(".loading")).to_have_count(0, timeout=30_000)
    page.wait_for_timeout(2000)  # for curves and drawings that come after the page
    if prepare is not None:
        prepare(page)
    picture = Image.open(io.BytesIO(page.screenshot()))
    for quality in (90, 80, 70, 60):
        picture.save(FOLDER / f"{name}.webp", quality=quality, method=6)
        if (FOLDER / f"{name}.webp").stat().st_size <= MAX_BYTES:
            return
    raise ValueError(f"{name}.webp is larger than {MAX_BYTES} bytes")


def main() -> None:
    """Make the pictures that are named in the command line, or all."""
    program = find_chromium()
    if program is None:
        sys.exit("no Chromium: apt install chromium")
    FOLDER.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        running_service(Path(folder) / "home", "--slots", "2") as service,
        open_browser(program) as browser,
    ):
        ids = train_jobs(service)
        page = browser.new_context(base_url=service.url, viewport=SIZE, color_scheme="light").new_page()  # type: ignore[arg-type]
        page.request.post("/v1/session", data={"key": (service.home / "key").read_text().strip()})
        for name in sys.argv[1:] or PICTURES:
            take(page, name, ids)
        service.cancel_all()


if __name__ == "__main__":
    main()
