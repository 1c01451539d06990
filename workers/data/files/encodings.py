"""The encoding of a text: the user's, that of its byte order mark, UTF-8, or else Windows-1252 if that is plausible.

Spreadsheets write tables in the code page of their machine, which in Western languages is Windows-1252. Most bytes can
be read so; a text of another code page would come out as symbols within words, and as words of nothing but accents.
Such a text is refused.
"""

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import BinaryIO, NoReturn

from app.errors import InvalidInput
from workers.data.files.problems import WarningCollector, line_problem, refuse

CHUNK_BYTES = 1 << 20
MAX_LINE_BYTES = 16 << 20  # bytes
FALLBACK = "windows-1252"
# First bytes → encoding that leaves them out; the longer ones first.
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    codecs.BOM_UTF8: "utf-8-sig",
}
WORD = re.compile(r"[^\W\d_]+")
# Two letters around a symbol other than an apostrophe, accent, dash, dot or soft hyphen; or a currency before a letter.
SYMBOL_IN_WORD = re.compile(
    r"[^\W\d_][^\x00-\x7f\w\u2019\xb4\u2013\u2014\xb7\u2026\xad][^\W\d_]|[\xa3-\xa5\xaf][^\W\d_]"
)
MAX_ACCENTS = 0.75  # share of letters that are not ASCII, in words that have any: all of those of other alphabets
OWN_ENCODING = 'give its "encoding"'


@dataclass(frozen=True)
class TextForm:
    """How the bytes of a text become lines."""

    encoding: str
    line_end: str  # "\n", or "\r" where there is no other


def detect_form(file: BinaryIO, name: str, explicit: str | None, limit: int, warnings: WarningCollector) -> TextForm:
    """Return how a text is read, and put the file back to its beginning. Raises `InvalidInput`.

    `explicit` is the encoding that the user gave; `limit` is the number of bytes that the text may have.
    """
    start = file.read(4)
    marked = next((encoding for mark, encoding in BYTE_ORDER_MARKS.items() if start.startswith(mark)), None)
    encoding = "utf-8-sig" if marked == "utf-8-sig" and explicit in (None, "utf-8") else explicit or marked or "utf-8"
    file.seek(0)
    try:
        line_end = _check_all(file, encoding, limit)
    except UnicodeError:
        if encoding != "utf-8" or explicit is not None:
            _refuse_bytes(file, name, encoding)
        encoding, line_end = FALLBACK, _fallback_line_end(file, name, warnings)
    else:
        if encoding in ("utf-16", "utf-32") and explicit is None:
            detail = f"{_named(name)}the text is {encoding.upper()} by its byte order mark, and was read so"
            warnings.add("", "encoding", detail, f'give "encoding": "{encoding}"')
    file.seek(0)
    return TextForm(encoding, line_end)


def _check_all(file: BinaryIO, encoding: str, limit: int) -> str:
    """Decode all of a file; return what ends its lines. Raises `UnicodeDecodeError`, `InvalidInput`."""
    decoder = codecs.getincrementaldecoder(encoding)()
    size, line_end = 0, ""
    for chunk in iter(partial(file.read, CHUNK_BYTES), b""):
        size += len(chunk)
        if size > limit:
            refuse("too_large", f"more than {limit:,} bytes unpacked", "upload less at once")
        text = decoder.decode(chunk)
        line_end = line_end or ("\n" if "\n" in text else "\r" if "\r" in text[:-1] else "")
        if "\0" in text:
            raise UnicodeDecodeError(encoding, b"\0", 0, 1, "NUL")
    decoder.decode(b"", final=True)
    return line_end or "\n"


def _fallback_line_end(file: BinaryIO, name: str, warnings: WarningCollector) -> str:
    """Return what ends the lines of a text of the code page `FALLBACK`. Raises `InvalidInput` if it is none."""
    first, accents, letters, line_end = None, 0, 0, "\r"
    for number, raw in _raw_lines(file):
        line_end = "\n" if raw.endswith(b"\n") else line_end
        if raw.isascii() and b"\0" not in raw:
            continue
        first = first or _place_of_error(number, raw)
        try:
            text = raw.decode(FALLBACK)
        except UnicodeDecodeError:
            _refuse_bytes(file, name, "utf-8")
        if "\0" in text or SYMBOL_IN_WORD.search(text):
            _refuse_bytes(file, name, "utf-8")
        for word in WORD.findall(text):
            if not word.isascii():
                accents, letters = accents + sum(not letter.isascii() for letter in word), letters + len(word)
    if accents > MAX_ACCENTS * letters:
        _refuse_bytes(file, name, "utf-8")
    place = f" (line {first[0]}, byte {first[1]})" if first is not None else ""
    detail = f"{_named(name)}the text is not UTF-8{place}, and was read as Windows-1252"
    warnings.add("", "encoding", detail, f'give "encoding": "{FALLBACK}", or its own, or convert it to UTF-8')
    return line_end


def _raw_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    file.seek(0)
    return enumerate(iter(partial(file.readline, MAX_LINE_BYTES + 1), b""), start=1)


def _place_of_error(number: int, raw: bytes) -> tuple[int, int] | None:
    try:
        raw.decode()
    except UnicodeDecodeError as error:
        return number, error.start + 1
    return None


def _refuse_bytes(file: BinaryIO, name: str, encoding: str) -> NoReturn:
    """Refuse a text at the first line that is not of the encoding, or has a NUL."""
    for number, raw in _raw_lines(file) if "16" not in encoding and "32" not in encoding else ():
        if b"\0" in raw:
            hint = f'if it is UTF-16: give "encoding": "utf-16-le", or {_conversion("UTF-16")}'
            _refuse(name, number, f"byte {raw.index(0) + 1} is NUL, which text cannot have", hint)
        try:
            raw.decode(encoding)
        except UnicodeDecodeError as error:
            detail = f"byte {error.start + 1} (0x{raw[error.start]:02x}) is not {encoding.removesuffix('-sig').upper()}"
            _refuse(name, number, detail, f"{OWN_ENCODING}, or {_conversion('ENCODING')}")
    _refuse(name, 1, f"the text is not {encoding.upper()}", f"{OWN_ENCODING}, or {_conversion('ENCODING')}")


def _conversion(encoding: str) -> str:
    return f"iconv -f {encoding} -t UTF-8 FILE > NEW"


def _named(name: str) -> str:
    return f"{name}: " if name else ""


def _refuse(name: str, number: int, detail: str, hint: str) -> NoReturn:
    raise InvalidInput([line_problem(name, number, "wrong_encoding", detail, hint)])
