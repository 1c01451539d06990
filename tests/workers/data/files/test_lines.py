import codecs
from io import BytesIO

import pytest

from app.errors import InvalidInput
from workers.data.files.lines import MAX_LINE_BYTES, read_lines


def refusal(content: bytes) -> str:
    with pytest.raises(InvalidInput) as caught:
        list(read_lines(BytesIO(content), "a.csv"))
    (problem,) = caught.value.problems
    return f"{problem.pointer} {problem.code}: {problem.detail} | {problem.hint}"


def test_lines_keep_their_ends() -> None:
    assert list(read_lines(BytesIO(codecs.BOM_UTF8 + "ä\r\n\nß".encode()))) == ["ä\r\n", "\n", "ß"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-16-le"])
def test_wider_encodings_are_named_with_how_to_convert_them(encoding: str) -> None:
    name = encoding[:6].upper()
    said = refusal("a,b\n1,2\n".encode(encoding))
    assert said.startswith("/a.csv/1 wrong_encoding: a.csv, line 1: ")
    assert f"iconv -f {name} -t UTF-8" in said


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "shift-jis"])
def test_bytes_that_are_not_utf_8_have_a_place(encoding: str) -> None:
    word = "日" if encoding == "shift-jis" else "ü"
    said = refusal(f"a,b\n1,x{word}y\n".encode(encoding))
    assert said.startswith("/a.csv/2 wrong_encoding: a.csv, line 2: byte 4 (0x")
    assert "iconv -f ISO-8859-1" in said


def test_nul_and_endless_lines_are_refused() -> None:
    assert "line 2: byte 2 is NUL" in refusal(b"a\nb\0c\n")
    assert "/a.csv/2 line_too_long" in refusal(b"a\n" + b"x" * (MAX_LINE_BYTES + 1))
    assert len(list(read_lines(BytesIO(b"x" * MAX_LINE_BYTES)))) == 1
