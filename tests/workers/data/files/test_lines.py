import codecs
from io import BytesIO

import pytest

from app.errors import InvalidInput
from workers.data.files.encodings import MAX_LINE_BYTES
from workers.data.files.lines import read_lines
from workers.data.files.problems import WarningCollector


def read(content: bytes, encoding: str | None = None) -> tuple[str, list[str]]:
    """Return the whole text, and the warnings."""
    warnings = WarningCollector()
    lines = list(read_lines(BytesIO(content), "a.csv", encoding, 1 << 30, warnings))
    return "".join(lines), [f"{each.code}: {each.detail} | {each.hint}" for each in warnings.warnings]


def refusal(content: bytes, encoding: str | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(content, encoding)
    (problem,) = caught.value.problems
    return f"{problem.pointer} {problem.code}: {problem.detail} | {problem.hint}"


def test_lines_keep_their_ends() -> None:
    assert list(read_lines(BytesIO(codecs.BOM_UTF8 + "ä\r\n\nß".encode()))) == ["ä\r\n", "\n", "ß"]


def test_carriage_returns_end_lines_where_nothing_else_does() -> None:
    assert list(read_lines(BytesIO(b"a,b\r1,2\r3,4"))) == ["a,b\r", "1,2\r", "3,4"]
    assert list(read_lines(BytesIO(b'a,b\n1,"x\ry"\n'))) == ["a,b\n", '1,"x\ry"\n']


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_a_byte_order_mark_says_the_encoding(encoding: str) -> None:
    text = "größe,b\r\n1,日\r\n"
    found, (warning,) = read(text.encode(encoding))
    assert found == text
    assert f"the text is {encoding.upper()}" in warning
    assert f'"encoding": "{encoding}"' in warning
    assert read(text.encode(encoding), encoding) == (text, [])


@pytest.mark.parametrize(
    "text",
    [
        "Größe;Preis\nfür 5 €;grün\n",
        "prénom,été\nÉlodie,où\nl\u2019été,à\n",
        "¿Qué?,señor\n",
        "a,b\n1,x" + chr(252) + "y\n",
    ],
)
def test_western_code_pages_are_read_with_a_warning(text: str) -> None:
    found, (warning,) = read(text.encode("windows-1252"))
    assert found == text
    assert warning.startswith("encoding: a.csv: the text is not UTF-8 (line ")
    assert '"encoding": "windows-1252"' in warning
    assert read(text.encode("windows-1252"), "windows-1252") == (text, [])


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("имя,город\nиван,москва\n", "windows-1251"),  # noqa: RUF001 - Cyrillic
        ("Łódź,Żółw\npięść,mąż\n", "windows-1250"),
        ("όνομα,1\n", "windows-1253"),
        ("名前,年齢\n田中,1\n", "shift_jis"),
        ("a,b\n1,x日y\n", "shift_jis"),
    ],
)
def test_other_code_pages_are_read_where_they_are_given(text: str, encoding: str) -> None:
    said = refusal(text.encode(encoding))
    assert 'is not UTF-8 | give its "encoding"' in said
    assert "/a.csv/" in said
    assert read(text.encode(encoding), encoding) == (text, [])


def test_bytes_that_are_not_of_the_encoding_have_a_place() -> None:
    assert refusal(b"a,b\n1,\x81\n", "windows-1252").startswith("/a.csv/2 wrong_encoding: a.csv, line 2: byte 3 (0x81)")
    assert "the text is not UTF-16" in refusal(b"abc", "utf-16")


def test_nul_and_endless_lines_are_refused() -> None:
    assert "line 2: byte 2 is NUL" in refusal(b"a\nb\0c\n")
    assert "utf-16-le" in refusal("a,b\n1,2\n".encode("utf-16-le"))
    assert "/a.csv/2 line_too_long" in refusal(b"a\n" + b"x" * (MAX_LINE_BYTES + 1))
    assert len(list(read_lines(BytesIO(b"x" * MAX_LINE_BYTES)))) == 1


def test_a_text_has_a_limit() -> None:
    with pytest.raises(InvalidInput) as caught:
        list(read_lines(BytesIO(b"a,b\n" * 100), limit=399))
    assert caught.value.problems[0].code == "too_large"
