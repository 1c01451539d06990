"""Lines of text, decoded."""

from collections.abc import Iterator
from functools import partial
from io import TextIOWrapper
from typing import BinaryIO

from app.errors import InvalidInput
from workers.data.files.content import MAX_UNPACKED_BYTES
from workers.data.files.encodings import MAX_LINE_BYTES, detect_form
from workers.data.files.problems import WarningCollector, line_problem


def read_lines(
    file: BinaryIO,
    name: str = "",
    encoding: str | None = None,
    limit: int = MAX_UNPACKED_BYTES,
    warnings: WarningCollector | None = None,
) -> Iterator[str]:
    """Yield the lines with their ends, without a byte order mark. Raises `InvalidInput`.

    `encoding` is what the user says; by default it follows from the content, see `detect_form`. `limit` is in bytes.
    """
    form = detect_form(file, name, encoding, limit, warnings or WarningCollector())
    text = TextIOWrapper(file, form.encoding, newline=form.line_end)
    try:
        for number, line in enumerate(iter(partial(text.readline, MAX_LINE_BYTES + 1), ""), start=1):
            if len(line) > MAX_LINE_BYTES:
                detail, hint = f"has more than {MAX_LINE_BYTES >> 20} MiB", "is it text, with an end to every line?"
                raise InvalidInput([line_problem(name, number, "line_too_long", detail, hint)])
            yield line
    finally:
        text.detach()  # the caller closes the file
