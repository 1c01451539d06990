"""The pages of the site, in the order in which they are read."""

from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]

# Section → its pages, each a file of the repository.
NAVIGATION: Mapping[str, tuple[str, ...]] = {
    "Start": ("docs/index.md", "docs/tutorial.md", "docs/notebooks/quickstart.ipynb", "docs/coming-from.md"),
    "How to": (),
    "Jobs": (
        "docs/spec.md",
        "docs/splits.md",
        "docs/report.md",
        "docs/surgery.md",
        "docs/inside.md",
        "docs/reinforcement.md",
        "docs/systems.md",
    ),
    "Data": ("docs/data.md", "docs/images.md", "docs/text.md"),
    "Using it": ("docs/client.md", "docs/cli.md", "docs/api.md", "docs/states.md", "examples/README.md"),
    "Running it": ("docs/operations.md", "docs/reliability.md", "SECURITY.md"),
    "Project": (
        "docs/architecture.md",
        "docs/faults.md",
        "docs/measurements.md",
        "benchmarks/README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
    ),
}
HOW_TO = "docs/howto"
# What lies outside of docs/ → its address. The README begins as the first page does.
ADDRESSES = {
    "README.md": "index.html",
    "examples/README.md": "examples.html",
    "benchmarks/README.md": "benchmarks.html",
    "SECURITY.md": "security.html",
    "CONTRIBUTING.md": "contributing.html",
    "CHANGELOG.md": "changelog.html",
}


def sections() -> dict[str, list[str]]:
    """Return every section with its pages; those on how to do something are in alphabetic order."""
    listed = {section: list(pages) for section, pages in NAVIGATION.items()}
    listed["How to"] = sorted(str(path.relative_to(ROOT)) for path in (ROOT / HOW_TO).glob("*.md"))
    return listed


def page_address(source: str) -> str | None:
    """Return a page's address in the site, such as ``howto/backup.html``; `None` for a file that is no page."""
    if source in ADDRESSES:
        return ADDRESSES[source]
    path = Path(source)
    if path.parts[0] == "docs" and path.suffix in (".md", ".ipynb"):
        return str(path.relative_to("docs").with_suffix(".html"))
    return None
