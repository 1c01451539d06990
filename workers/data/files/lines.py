"""Lines of UTF-8 text; other encodings are refused, with how to convert them."""

import codecs
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO, NoReturn

from app.errors import InvalidInput
from workers.data.files.problems import line_problem

MAX_LINE_BYTES = 16 << 20  # bytes

# First bytes → encoding; the longer ones first.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


def read_lines(file: BinaryIO, name: str = "") -> Iterator[str]:
    """Yield the lines with their ends, without a byte order mark. Raises `InvalidInput`."""
    for number, raw in enumerate(iter(partial(file.readline, MAX_LINE_BYTES + 1), b""), start=1):
        line = raw
        if number == 1:
            encoding = next((each for mark, each in BYTE_ORDER_MARKS.items() if line.startswith(mark)), None)
            if encoding is not None:
                _refuse(name, 1, "wrong_encoding", f"the text is {encoding}", _conversion(encoding))
            line = raw.removeprefix(codecs.BOM_UTF8)
        if len(line) > MAX_LINE_BYTES:
            detail = f"has more than {MAX_LINE_BYTES >> 20} MiB"
            _refuse(name, number, "line_too_long", detail, "is it text, with an end to every line?")
        if b"\0" in line:
            detail = f"byte {line.index(0) + 1} is NUL, which text cannot have"
            _refuse(name, number, "wrong_encoding", detail, "if it is UTF-16: " + _conversion("UTF-16"))
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            detail = f"byte {error.start + 1} (0x{line[error.start]:02x}) is not UTF-8"
            _refuse(name, number, "wrong_encoding", detail, "if it is Latin-1: " + _conversion("ISO-8859-1"))


def _conversion(encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 FILE > NEW"


def _refuse(name: str, number: int, code: str, detail: str, hint: str) -> NoReturn:
    raise InvalidInput([line_problem(name, number, code, detail, hint)])
