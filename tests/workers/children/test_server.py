"""Requests that a child answers, whatever comes of them."""

import json
from typing import Any

import pytest

from workers.children.server import handle_request


def test_an_answer_is_json() -> None:
    assert json.loads(handle_request(b'{"ask": "this", "x": 1}', {"this": lambda request: {"y": request["x"]}})) == {
        "y": 1
    }


def test_an_unknown_question_is_answered_too() -> None:
    assert json.loads(handle_request(b'{"ask": "that"}', {})) == {"failure": "KeyError: 'that'"}


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (MemoryError(), "memory"),
        (SystemError("error return without exception set"), "memory"),
        (KeyError("kind"), "KeyError: 'kind'"),
    ],
    ids=["told", "untold", "another"],
)
def test_a_request_that_fails_is_answered(error: Exception, failure: str) -> None:
    def fail(request: Any) -> Any:
        raise error

    assert json.loads(handle_request(b'{"ask": "this"}', {"this": fail})) == {"failure": failure}
