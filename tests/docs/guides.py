"""The blocks of code of a page for readers, in order: what a test runs, and the files that are to be saved."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
GUIDES = [
    *(ROOT / "docs" / name for name in ("tutorial.md", "coming-from.md", "systems.md")),
    *sorted((ROOT / "docs" / "howto").glob("*.md")),
]
FILE_NAME = re.compile(r"`([\w-]+\.(?:json|py|csv))`")
# A fence's second word says why a test does not run it.
NOT_RUN = {
    "compose": "needs Docker",
    "s3": "needs a bucket",
    "gpu": "needs a GPU",
    "setup": "the test's environment has it",
    "other": "other libraries",
}
SERVING = ("make up", "graftwerk up")  # a service runs already


@dataclass(frozen=True)
class Block:
    """A block of code. `file`: the name under which the text before it says to save it."""

    language: str
    reason: str
    code: str
    file: str | None


def blocks(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page. One that is to be saved follows a paragraph that ends with a colon and names it."""
    paragraph = ""
    for token in MarkdownIt("commonmark").parse(page.read_text()):
        if token.type == "inline":
            paragraph = token.content
        if token.type == "fence":
            language, _, reason = token.info.partition(" ")
            names = FILE_NAME.findall(paragraph)
            saved = language in ("json", "python", "csv") and paragraph.endswith(":") and names
            yield Block(language, reason, token.content, names[-1] if saved else None)
            paragraph = ""


def commands(block: Block) -> list[str]:
    """Return the command lines of a block, continued ones as one."""
    return [line for line in block.code.replace("\\\n", " ").splitlines() if line.strip() and line not in SERVING]
