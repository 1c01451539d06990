"""The reference of the language Python, as the module `pydoc_data.topics` of its own library has it, in windows.

A tenth of the text, its end, is the test. Windows of 129 characters do not overlap: each place has the next character
as its target, so that 128 of them are learned.
"""

import re
from pathlib import Path
from pydoc_data import topics

from examples.data.files import write_jsonl

WINDOW = 129  # characters
KEPT = re.compile(r"[^\n -~]")  # all but the printable characters of ASCII is left out


def write(_cache: Path, folder: Path) -> dict[str, int]:
    """Write train.jsonl and test.jsonl; returns how many windows each has."""
    text = KEPT.sub("", "\n\n".join(topics.topics[name] for name in sorted(topics.topics)))
    windows = [text[start : start + WINDOW] for start in range(0, len(text) - WINDOW + 1, WINDOW)]
    held_out = len(windows) // 10
    parts = {"train.jsonl": windows[:-held_out], "test.jsonl": windows[-held_out:]}
    return {name: write_jsonl(folder / name, ({"text": row} for row in rows)) for name, rows in parts.items()}
