"""The whole site: pages, files that pages link to, the index of the search."""

import html
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from string import Template

from docs.website.markdown import RenderedPage, Section, notebook_markdown, render_markdown
from docs.website.navigation import ROOT, page_address, sections

HERE = Path(__file__).parent
MOUNT = "/docs"  # where the service shows the site
# The dashboard's colours are the site's.
ASSETS = (
    HERE / "site.css",
    HERE / "site.js",
    HERE / "theme.js",
    ROOT / "web" / "src" / "ui" / "styles" / "tokens.css",
    ROOT / "web" / "public" / "icon.svg",
)


def build_site(folder: Path) -> int:
    """Write the site into a folder, which appears whole or not at all, and return the number of pages."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".site-") as scratch:
        built = Path(scratch) / "site"
        pages = {source: render(source) for listed in sections().values() for source in listed}
        order = list(pages)
        for source, page in pages.items():
            write(built / address(source), document(source, page, order, pages))
        for file in sorted(set().union(*(page.files for page in pages.values()))):
            write(built / address(file), (ROOT / file).read_bytes())
        write(built / "404.html", not_found(pages))
        write(built / "search.json", json.dumps(list(search_entries(pages)), separators=(",", ":"), ensure_ascii=False))
        for asset in ASSETS:
            write(built / asset.name, asset.read_bytes())
        shutil.rmtree(folder, ignore_errors=True)
        built.chmod(0o755)
        built.rename(folder)
    return len(pages)


def write(path: Path, content: str | bytes) -> None:
    """Write a file and make its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def address(file: str) -> str:
    """Return where a file of the repository is in the site."""
    return page_address(file) or str(Path("files") / file)


def relative(target: str, page: str) -> str:
    """Return an address of the site as seen from a page."""
    return os.path.relpath(target, Path(page).parent)


def render(source: str) -> RenderedPage:
    """Return a page of the repository as HTML."""
    text = (ROOT / source).read_text()
    if source.endswith(".ipynb"):
        text = notebook_markdown(text)
    here = address(source)
    return render_markdown(text, source, lambda file: relative(address(file), here))


def document(source: str, page: RenderedPage, order: list[str], pages: dict[str, RenderedPage]) -> str:
    """Return the HTML document of a page, with the list of all pages and that of its own sections."""
    here = address(source)
    place = order.index(source)
    neighbours = [
        f'<a rel="{rel}" href="{relative(address(order[other]), here)}">{html.escape(pages[order[other]].title)}</a>'
        for rel, other in (("prev", place - 1), ("next", place + 1))
        if 0 <= other < len(order)
    ]
    return page_template().substitute(
        title=html.escape(page.title),
        root=relative(".", here),
        navigation="".join(navigation(here, pages)),
        contents="".join(contents(page.sections)),
        body=page.body,
        neighbours="".join(neighbours),
    )


def not_found(pages: dict[str, RenderedPage]) -> str:
    """Return what is sent for an address without a page, which may lie at any depth: its links are whole addresses."""
    body = '<h1 id="no-such-page">No such page</h1><p>Search for it, or look through the pages.</p>'
    return page_template().substitute(
        title="No such page",
        root=MOUNT,
        navigation="".join(navigation("", pages)).replace('href="', f'href="{MOUNT}/'),
        contents="",
        body=body,
        neighbours="",
    )


def page_template() -> Template:
    """Return the frame of every page."""
    return Template((HERE / "page.html").read_text())


def navigation(here: str, pages: dict[str, RenderedPage]) -> Iterator[str]:
    """Yield the list of all pages, as seen from one of them."""
    for title, sources in sections().items():
        yield f"<h2>{title}</h2><ul>"
        for source in sources:
            there = address(source)
            current = ' aria-current="page"' if there == here else ""
            yield f'<li><a href="{relative(there, here)}"{current}>{html.escape(pages[source].title)}</a></li>'
        yield "</ul>"


def contents(listed: list[Section]) -> Iterator[str]:
    """Yield the list of a page's sections."""
    shown = [each for each in listed if each.level in (2, 3)]
    if len(shown) < 2:
        return
    yield '<nav class="contents" aria-label="On this page"><h2>On this page</h2><ul>'
    for each in shown:
        yield f'<li class="level{each.level}"><a href="#{each.anchor}">{html.escape(each.title)}</a></li>'
    yield "</ul></nav>"


def search_entries(pages: dict[str, RenderedPage]) -> Iterator[tuple[str, str, str, str]]:
    """Yield address, page, heading and text of every section."""
    for source, page in pages.items():
        for each in page.sections:
            if each.title or each.text:
                place = address(source) + (f"#{each.anchor}" if each.anchor and each.level > 1 else "")
                yield place, page.title, each.title, " ".join(each.text)
