"""HTML whose content is escaped unless it is HTML already."""

from collections.abc import Iterable, Sequence
from html import escape

TABLE_STYLE = "border-collapse:collapse;font-size:90%"
CELL_STYLE = "text-align:left;padding:2px 12px 2px 0"


class Html(str):
    """Text that is HTML: `element` does not escape it."""

    __slots__ = ()


def element(tag: str, *content: str, **attributes: str | int | float) -> Html:
    """Return an element. Content and attributes are escaped, except `Html`."""
    fields = "".join(f' {name}="{escape(str(value))}"' for name, value in attributes.items())
    return Html(f"<{tag}{fields}>{join(content)}</{tag}>")


def join(content: Iterable[str]) -> Html:
    """Return several parts one after the other."""
    return Html("".join(part if isinstance(part, Html) else escape(part) for part in content))


def link(address: str, text: str) -> Html:
    """Return a link to a web page; any other address is only text."""
    if not address.startswith(("http://", "https://")):
        return join([text])
    return element("a", text, href=address, target="_blank", rel="noopener")


def table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """Return a table."""
    head = element("tr", *(element("th", title, style=CELL_STYLE) for title in titles))
    body = (element("tr", *(element("td", cell, style=CELL_STYLE) for cell in row)) for row in rows)
    return element("table", element("thead", head), element("tbody", *body), style=TABLE_STYLE)


def warnings_html(warnings: Iterable[dict[str, str]]) -> Html:
    """Return warnings or problems of a document as a list; nothing if there are none."""
    items = []
    for each in warnings:
        hint = f" · {each['hint']}" if each.get("hint") else ""
        items.append(element("li", element("code", each.get("pointer") or "/"), f" {each['detail']}{hint}"))
    return element("ul", *items) if items else Html()
