"""The documentation as a static site: all pages, no link that leads nowhere, nothing that a strict policy refuses."""

import json
import re
from collections.abc import Iterator
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from docs.website.build import ASSETS, MOUNT, build_site
from docs.website.markdown import heading_anchor, render_markdown
from docs.website.navigation import NAVIGATION, ROOT, page_address, sections
from tests.docs.test_documents import PAGES


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    assert build_site(folder) + 1 == len(list(folder.rglob("*.html"))), "and 404.html"
    return folder


class Links(HTMLParser):
    """The places that a page links to, and its own anchors."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.inline: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.targets += [value for name in ("href", "src") if (value := values.get(name)) is not None]
        if (anchor := values.get("id")) is not None:
            assert anchor not in self.anchors, anchor
            self.anchors.add(anchor)
        if (tag == "script" and "src" not in values) or tag == "style" or "style" in values:
            self.inline.append(tag)
        self.inline += [name for name in values if name.startswith("on")]


def test_every_page_is_in_the_navigation() -> None:
    shown = {page for pages in sections().values() for page in pages}
    written = {str(path.relative_to(ROOT)) for path in PAGES} | {
        str(path.relative_to(ROOT)) for kind in ("*.md", "*.ipynb") for path in (ROOT / "docs").rglob(kind)
    }
    assert written - shown == {"README.md"}, "its beginning is docs/index.md"
    assert not [section for section, pages in sections().items() if not pages]
    assert list(sections()) == list(NAVIGATION)


def test_no_link_leads_nowhere(site: Path) -> None:
    pages = {path: Links(path.read_text()) for path in site.rglob("*.html")}
    wrong = []
    for path, links in pages.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or target == "/":
                continue
            if parts.path.startswith(MOUNT):
                there = site / parts.path.removeprefix(f"{MOUNT}/")
            else:
                there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            anchors = pages[there].anchors if there in pages else set()
            if not there.is_file() or (parts.fragment and unquote(parts.fragment) not in anchors):
                wrong.append(f"{path.relative_to(site)}: {target}")
    assert not wrong


def test_nothing_is_inline_or_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        links = Links(path.read_text())
        assert links.inline == [], path
        assert not re.search(r"""(?:src|rel="stylesheet" href)="https?:""", path.read_text()), path


@pytest.mark.parametrize("word", ["GroupNorm", "rollback", "GRAFTWERK_LEASE_SECONDS", "Idempotency-Key"])
def test_the_index_of_the_search_has_what_pages_say(site: Path, word: str) -> None:
    entries = json.loads((site / "search.json").read_text())
    places = [place for place, *texts in entries if any(word in text for text in texts)]
    assert places
    anchors = {str(path.relative_to(site)): Links(path.read_text()).anchors for path in site.rglob("*.html")}
    for place in places:
        page, _, anchor = place.partition("#")
        assert not anchor or anchor in anchors[page]


def test_a_site_that_exists_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "site"
    (folder / "old").mkdir(parents=True)
    build_site(folder)
    assert not (folder / "old").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["site"]


@pytest.mark.parametrize(
    ("title", "anchor"),
    [
        ("The rest", "the-rest"),
        ("`training.edits`: rules", "trainingedits-rules"),
        ("What's new, and why?", "whats-new-and-why"),
        ("At 2 % of the cost", "at-2--of-the-cost"),
    ],
)
def test_anchors_are_those_of_github(title: str, anchor: str) -> None:
    assert heading_anchor(title.replace("`", ""), set()) == anchor


def test_a_heading_that_comes_again_has_a_number() -> None:
    page = render_markdown("# A\n## B\n## B\n", "docs/x.md", str)
    assert [each.anchor for each in page.sections[1:]] == ["a", "b", "b-1"]


def test_names_in_code_are_text() -> None:
    page = render_markdown('# A `<i>`\n`<b>`\n```json\n{"a": "<script>"}\n```\n', "docs/x.md", str)
    assert not re.search(r"<(b|i|script)>", page.body)


@pytest.mark.parametrize("text", ["<div>a</div>\n", "a <b>b</b>\n"])
def test_other_html_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HTML in a page"):
        render_markdown(text, "docs/x.md", str)


def sources(site: Path) -> Iterator[str]:
    """Yield every file that the site is made of."""
    yield from (page for pages in sections().values() for page in pages)
    yield from (str(path.relative_to(ROOT)) for path in ASSETS)
    yield from (str(path.relative_to(site / "files")) for path in (site / "files").rglob("*") if path.is_file())


def test_the_image_is_built_with_all_of_it(site: Path) -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    allowed = [line.removeprefix("!") for line in lines if line.startswith("!")]
    copied = re.findall(r"^COPY (?!--)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    names = [name for line in copied for name in line.split()]
    for file in sources(site):
        assert any(fnmatch(file, each) or file.startswith(f"{each}/") for each in allowed), file
        assert any(file == each or file.startswith(f"{each}/") for each in names), file
        assert page_address(file) or file.startswith(("docs/", "examples/", "web/"))
