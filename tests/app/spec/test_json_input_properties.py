"""Any document comes back, and any bytes are read or refused."""

import json
import re
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from app.errors import GraftwerkError
from app.spec.json_input import MAX_INT64, parse_document
from tests.app.spec.test_json_input import DEPTH, JSON, YAML

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
VALUES = (
    st.none() | st.booleans() | st.integers(-MAX_INT64, MAX_INT64) | st.floats(allow_nan=False, allow_infinity=False)
)
DOCUMENTS = st.recursive(VALUES | TEXT, lambda part: st.lists(part) | st.dictionaries(TEXT, part), max_leaves=20)


@given(DOCUMENTS)
def test_json_comes_back(document: Any) -> None:
    for body in (json.dumps(document), json.dumps(document, ensure_ascii=False, indent=1)):
        assert parse_document(body.encode(), JSON, 100) == document
    assert parse_document(json.dumps(document).encode("utf-8-sig"), JSON, 100) == document


def is_exponent(document: Any) -> bool:
    """Say whether a text is a number for JSON that PyYAML, which speaks YAML 1.1, writes without quotes."""
    if isinstance(document, dict):
        return any(is_exponent(item) for pair in document.items() for item in pair)
    if isinstance(document, list):
        return any(map(is_exponent, document))
    return isinstance(document, str) and re.fullmatch(r"[-+]?[0-9.]+[eE][-+]?[0-9]+", document) is not None


@given(DOCUMENTS.filter(lambda document: not is_exponent(document)))
def test_yaml_comes_back(document: Any) -> None:
    for flow in (False, True):
        body = yaml.safe_dump(document, default_flow_style=flow)
        assert parse_document(body.encode(), YAML, 100) == document


@given(DOCUMENTS)
def test_json_is_yaml(document: Any) -> None:
    body = json.dumps(document)
    if not re.search(r"\\ud|\x7f", body):  # JSON writes large characters as surrogates; YAML has no plain DEL
        assert parse_document(body.encode(), YAML, 100) == document


def assert_parsed_or_rejected(body: bytes, kind: str) -> None:
    try:
        document = parse_document(body, kind, DEPTH)
    except GraftwerkError as error:
        error.detail.encode()
    else:
        json.dumps(document, allow_nan=False)


KINDS = st.sampled_from([JSON, YAML])


@settings(max_examples=300)
@given(st.binary() | st.text().map(lambda text: text.encode("utf-8", "surrogatepass")), KINDS)
def test_any_bytes_are_read_or_refused(body: bytes, kind: str) -> None:
    assert_parsed_or_rejected(body, kind)


FRAGMENTS = st.sampled_from(
    [
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        '"',
        "\\",
        "'",
        "- ",
        "\n",
        "  ",
        "a",
        "0",
        "-",
        ".",
        "e",
        "&a ",
        "*a",
        "!!int ",
        "!!map ",
        "!",
        "|",
        ">",
        "?",
        "%",
        "---\n",
        "...",
        "<<: ",
        "null",
        "true",
        "NaN",
        "Infinity",
        "\\u0000",
        "\\ud800",
        "\ufeff",
        "~",
    ]
)


@settings(max_examples=400)
@given(st.lists(FRAGMENTS, max_size=12).map("".join), KINDS)
def test_any_fragments_are_read_or_refused(text: str, kind: str) -> None:
    assert_parsed_or_rejected(text.encode(), kind)
