"""Markdown to HTML: headings with GitHub's anchors, coloured code, tables that scroll, links between pages."""

import html
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name

from docs.website.navigation import page_address

LANGUAGES = {"json", "python", "sh", "yaml", "toml", "html", "ini", "sql"}
TRANSITION = re.compile(r"^ +(\S+) --> (\w+): (\w+)$", re.MULTILINE)


@dataclass
class Section:
    """A heading and the text below it, up to the next heading."""

    title: str
    anchor: str
    level: int
    text: list[str] = field(default_factory=list)


@dataclass
class RenderedPage:
    """A page's HTML, its sections, and the files of the repository that it links to or shows."""

    title: str
    body: str
    sections: list[Section]
    files: set[str]


class PageRenderer(RendererHTML):
    """The HTML of one page, for an address without inline styles or scripts."""

    def fence(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Return code in colours, or the transitions of a diagram of states as a table."""
        token = tokens[idx]
        language = token.info.strip().split(" ")[0]
        if language == "mermaid":
            return transitions_table(token.content)
        return code_block(token.content, language)

    def code_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Return code that is indented."""
        return code_block(tokens[idx].content, "")

    def html_block(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Return nothing for a comment; raises `ValueError` for other HTML, which no page has."""
        if tokens[idx].content.lstrip().startswith("<!--"):
            return ""
        raise ValueError(f"HTML in a page: {tokens[idx].content}")

    html_inline = html_block

    def table_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Return the beginning of a table in a box that scrolls sideways, by keys too."""
        return '<div class="wide" tabindex="0"><table>'

    def table_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Return the end of a table in its box."""
        return "</table></div>"

    def th_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Return the head of a column; a column whose head is empty has a plain cell."""
        return "<td>" if not tokens[idx + 1].content else '<th scope="col">'

    def th_close(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Return the end of a head."""
        return "</td>" if not tokens[idx - 1].content else "</th>"

    def td_open(self, tokens: Sequence[Token], idx: int, options: Any, env: Any) -> str:
        """Return a cell without markdown-it's style attributes."""
        return "<td>"


def code_block(code: str, language: str) -> str:
    """Return code in colours, in a box that scrolls by keys too."""
    if language in LANGUAGES:
        inner = highlight(code, get_lexer_by_name(language), HtmlFormatter(nowrap=True))
    else:
        inner = html.escape(code, quote=False)
    return f'<div class="code"><pre tabindex="0"><code>{inner}</code></pre></div>\n'


def transitions_table(diagram: str) -> str:
    """Return the transitions of a diagram of states as a table: a browser draws no Mermaid by itself."""
    rows = "".join(
        f"<tr><td>{'' if source == '[*]' else source}</td><td><code>{verb}</code></td><td>{target}</td></tr>"
        for source, target, verb in TRANSITION.findall(diagram)
    )
    head = '<tr><th scope="col">state</th><th scope="col">verb</th><th scope="col">becomes</th></tr>'
    return f'<div class="wide" tabindex="0"><table>{head}{rows}</table></div>\n'


def heading_anchor(title: str, taken: set[str]) -> str:
    """Return the anchor that GitHub gives a heading."""
    base = re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
    anchor, number = base, 0
    while anchor in taken:
        number += 1
        anchor = f"{base}-{number}"
    taken.add(anchor)
    return anchor


def render_markdown(text: str, source: str, link: Callable[[str], str]) -> RenderedPage:
    """Return a page as HTML.

    :param source: Its file in the repository, which its links are relative to.
    :param link: From a file of the repository to its address as seen from the page.
    """
    parser = MarkdownIt("commonmark", renderer_cls=PageRenderer).enable(["table", "strikethrough"])
    tokens = parser.parse(text)
    sections, taken, files = [Section("", "", 1)], set[str](), set[str]()
    for index, token in enumerate(tokens):
        if token.type == "heading_open":
            title = plain_text(tokens[index + 1])
            section = Section(title, heading_anchor(title, taken), int(token.tag[1]))
            token.attrSet("id", section.anchor)
            sections.append(section)
        elif token.type == "inline":
            resolve_links(token, source, link, files)
            if tokens[index - 1].type != "heading_open":
                sections[-1].text.append(plain_text(token))
        elif token.type in ("fence", "code_block"):
            sections[-1].text.append(token.content)
    body = parser.renderer.render(tokens, parser.options, {})
    title = next((each.title for each in sections if each.level == 1 and each.title), source)
    return RenderedPage(title, body, sections, files)


def plain_text(inline: Token) -> str:
    """Return the text of a paragraph or heading."""
    parts = (child.content if child.type in ("text", "code_inline") else " " for child in inline.children or ())
    return re.sub(r"\s+", " ", "".join(parts)).strip()


def resolve_links(inline: Token, source: str, link: Callable[[str], str], files: set[str]) -> None:
    """Let links and pictures lead to their places in the site, and note the files that are no pages."""
    for child in inline.children or ():
        name = {"link_open": "href", "image": "src"}.get(child.type)
        if name is None:
            continue
        target, mark, anchor = str(child.attrs[name]).partition("#")
        if "://" in target or not target:
            continue
        file = os.path.normpath(Path(source).parent / target)
        if page_address(file) is None:
            files.add(file)
        child.attrSet(name, link(file) + mark + anchor)


def notebook_markdown(text: str) -> str:
    """Return a notebook as Markdown: its text, its code, and the plain text of its outputs."""
    parts = []
    for cell in json.loads(text)["cells"]:
        content = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(content)
            continue
        parts.append(f"```python\n{content}\n```")
        for output in cell["outputs"]:
            printed = "".join(output.get("text", output.get("data", {}).get("text/plain", "")))
            if printed:
                parts.append(f"```\n{printed.rstrip()}\n```")
    return "\n\n".join(parts)
