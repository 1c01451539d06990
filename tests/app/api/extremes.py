"""Requests at the edges of what can be written: valid documents in which numbers, texts and lists become extreme."""

import json
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import httpx
from hypothesis import strategies as st

from app.spec.base import MAX_INT64

EXAMPLES = Path(__file__).parents[3] / "examples"
NUMBERS = [
    *(0, -1, 1, 2, 1000, 2**31 - 1, 2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 2**64, 10**12, 10**18, 10**30),
    *(0.5, -0.0, 1e-320, 5e-324, 1e308, -1e308, 1e18, math.nan, math.inf, -math.inf),
]
TEXTS = [
    *(
        "",
        " ",
        "\0",
        "\ud800",
        "\udfff\ud800",
        "\u202e\u2066x",
        "٣",
        "NaN",
        "1e999",
        "-0",
        "../../x",
        "%00",
        "{}",
        "\x7f",
    ),
    *("x" * 100_000, "é" * 70_000, "9" * 5000),
]
OTHERS = [None, True, [], {}, [[]], {"": 0}, {"kind": ""}, {"kind": "x" * 1000}]
HEADERS: Mapping[str, Sequence[str]] = {
    "Idempotency-Key": ("", "x" * 255, "x" * 256, "é", "\t"),
    "If-Match": ("*", '"1"', 'W/"1"', '"' + "9" * 400 + '"', '"1.99999999999999999999"', ",,,", "*" * 3000),
    "If-None-Match": ("*", '"1"', 'W/"1"', ",,,"),
    "Last-Event-ID": ("0", "-1", "9" * 30, "1e3", " 1 "),
    "Range": (
        "bytes=0-",
        "bytes=-1",
        "bytes=9-1",
        "bytes=0-" + "9" * 30,
        "bytes=-" + "9" * 30,
        "bytes=0-0,2-3",
        "x=0-1",
    ),
    "If-Range": ('"x"', "Sun, 06 Nov 1994 08:49:37 GMT"),
    "Content-Range": (
        "bytes 0-1/4",
        "bytes */4",
        "bytes */" + "9" * 18,
        "bytes 5-1/9",
        "bytes 0-0/" + "9" * 30,
        "bytes",
    ),
    "Content-Type": (
        "application/yaml",
        "text/csv; charset=x",
        "application/json; charset=utf-16",
        "/",
        ";",
        "a/b" * 500,
    ),
    "X-Request-ID": ("x" * 65, "\x7f", "a b"),
    "Accept": ("text/csv", "*/*;q=9"),
    "Content-Length": ("-1", "9" * 30, "x"),
}
ROWS = {"rows": [{"x": [5.1, 3.5, 1.4, 0.2]}], "top": 2, "batch_size": 5, "outputs": ["labels"]}
# Bodies with more fields than the request that suffices.
BODIES: Mapping[str, Any] = {
    "POST /v1/datasets": {
        "name": "x",
        "source": {
            "kind": "upload",
            "format": "csv",
            "file": "a.csv",
            "encoding": "utf-8",
            "target": "y",
            "types": {"y": "number"},
            "formats": {"y": "1,234.5"},
            "on_bad": "missing",
            "sha256": "0" * 64,
        },
    },
    "POST /v1/keys": {
        "name": "x",
        "scopes": ["read", "write"],
        "expires_at": "2999-01-01T00:00:00Z",
        "limits": {
            "requests": "10/second;600/minute",
            "priority": 1,
            "running_jobs": 2,
            "queued_jobs": 3,
            "parameters": 4,
            "stored_bytes": 5,
            "unfinished_uploads": 6,
        },
    },
    "PATCH /v1/keys/{key_id}": {
        "name": "x",
        "expires_at": "2999-01-01T00:00:00Z",
        "limits": {"requests": "1/second", "queued_jobs": 3},
    },
    "POST /v1/keys/{key_id}/rotate": {"grace_seconds": 3600.0},
    "POST /v1/webhooks": {
        "url": "https://127.0.0.1:8080/x?y#z",
        "name": "x",
        "events": ["job.failed"],
        "jobs": "named",
    },
    "POST /v1/jobs/{job_id}/fork": {
        "from_step": 5,
        "what": "weights",
        "changes": {"training": {"epochs": 3}, "name": "y"},
    },
    "POST /v1/jobs/{job_id}/predict": ROWS,
    "POST /v1/jobs/{job_id}/evaluate": {"dataset": "ds_" + "0" * 32, "checkpoint": "ckpt_" + "0" * 32, "batch_size": 4},
    "POST /v1/datasets/{dataset_id}/propose": {"target": "y", "epochs": 3},
    "POST /v1/models/inspect": {
        "model": {"layers": [{"kind": "Linear", "out_features": 3}, {"kind": "Dropout", "p": 0.5}]},
        "inputs": {"x": {"shape": [4], "dtype": "float32"}},
        "batch_size": 8,
        "seed": 3,
        "autograd": True,
        "gradcheck": True,
        "values": {"x": [[1.0, 2.0, 3.0, 4.0]]},
    },
}
MAX_PLACE_DEPTH = 30  # of what is replaced; what replaces it nests deeper
MAX_SECONDS = 60.0  # of an answer, on a busy machine: no limit of the service is longer than this


def nested(document: Any, levels: int) -> Any:
    """Return a document within so many lists."""
    for _ in range(levels):
        document = [document]
    return document


def nested_repeats(levels: int, times: int = 1000) -> dict[str, Any]:
    """Return a job whose loops in loops multiply: the counts of its network have three digits more by each level."""
    body: dict[str, Any] = {"layers": [{"kind": "Linear", "out_features": 4}]}
    for _ in range(levels):
        body = {"layers": [{"kind": "Repeat", "times": times, "body": body}]}
    return {"model": body, "data": {"kind": "builtin", "name": "iris"}, "objective": {"loss": "CrossEntropyLoss"}}


def blocks_of_repeats(blocks: int, levels: int) -> dict[str, Any]:
    """Return a job of blocks in blocks, each of which repeats the one before: counts of hundreds of digits."""
    job = nested_repeats(0)
    made: dict[str, Any] = {"b0": {"layers": [{"kind": "Linear", "out_features": 4}]}}
    for block in range(1, blocks):
        made[f"b{block}"] = nested_repeats(levels)["model"]
        inner = made[f"b{block}"]
        while "body" in inner["layers"][0]:
            inner = inner["layers"][0]["body"]
        inner["layers"] = [{"kind": "block", "name": f"b{block - 1}"}]
    job["model"] = {"blocks": made, "layers": [{"kind": "block", "name": f"b{blocks - 1}"}]}
    return job


def example_specs() -> dict[str, Any]:
    """Return the specs of the examples, by the name of the file."""
    found = {path.stem: json.loads(path.read_text()) for path in sorted(EXAMPLES.glob("*.json"))}
    return {name: spec for name, spec in found.items() if isinstance(spec, dict) and "model" in spec}


def places(part: Any, here: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Yield the paths of the parts of a document, its own too."""
    yield here
    if len(here) > MAX_PLACE_DEPTH or (isinstance(part, list | dict) and len(part) > 1000):
        return
    items = part.items() if isinstance(part, dict) else enumerate(part) if isinstance(part, list) else ()
    for key, value in items:
        yield from places(value, (*here, key))


def part_at(document: Any, place: tuple[str | int, ...]) -> Any:
    for key in place:
        document = document[key]
    return document


def replaced(document: Any, place: tuple[str | int, ...], value: Any) -> Any:
    """Return a copy of a document with another value at a place."""
    if not place:
        return value
    copy = deepcopy(document)
    part_at(copy, place[:-1])[place[-1]] = value
    return copy


def every_number(document: Any, number: Any) -> Any:
    """Return a document in which every number is this one."""
    if isinstance(document, dict):
        return {name: every_number(part, number) for name, part in document.items()}
    if isinstance(document, list):
        return [every_number(part, number) for part in document]
    is_number = isinstance(document, int | float) and not isinstance(document, bool)
    return number if is_number else document


@st.composite
def extreme_documents(draw: st.DrawFn, document: Any) -> Any:
    """Draw a document with one to three extreme parts, or one in which all numbers are the same."""
    if draw(st.integers(0, 9)) == 0:
        return every_number(document, draw(st.sampled_from(NUMBERS)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.sampled_from(list(places(document))))
        document = replaced(document, place, draw(extreme_parts(part_at(document, place))))
    return document


def extreme_parts(part: Any) -> st.SearchStrategy[Any]:
    """Return the strategy of what stands in the place of a part."""
    anything = st.sampled_from([*NUMBERS, *TEXTS, *OTHERS])
    if isinstance(part, bool) or part is None:
        return anything
    if isinstance(part, int | float):
        return st.sampled_from(NUMBERS) | st.sampled_from(NUMBERS) | anything
    if isinstance(part, str):
        return st.sampled_from(TEXTS) | anything
    long = st.sampled_from([50, 70, 3000]).map(
        lambda count: (part if isinstance(part, list) and part else [part]) * count
    )
    deep = st.sampled_from([10, 40, 70, 150]).map(lambda levels: nested(part, levels))
    named = st.sampled_from(TEXTS).map(lambda text: {**part, text: 1} if isinstance(part, dict) else [text])
    return long | deep | named | anything


def dump(document: Any) -> bytes:
    """Return a document as JSON; NaN and infinities are written as Python writes them."""
    return json.dumps(document).encode()


def assert_answered(response: httpx.Response, began: float) -> None:
    """Check that an answer is no mistake of the service, in time, and JSON whose numbers every parser holds."""
    assert time.monotonic() - began < MAX_SECONDS
    assert response.status_code not in (500, 502, 504), response.text
    assert response.status_code < 500 or response.headers.get("content-type") == "application/problem+json"
    if "json" not in response.headers.get("content-type", "") or not response.content:
        return
    for value in numbers(json.loads(response.content, parse_constant=_refuse)):
        assert not isinstance(value, int) or abs(value) <= MAX_INT64, value
    if response.status_code == 422:
        assert not {"inspection_failed", "export_failed"} & {each["code"] for each in response.json()["errors"]}


def _refuse(word: str) -> None:
    raise AssertionError(f"{word} is not JSON")


def numbers(part: Any) -> Iterator[int | float]:
    """Yield every number in a document."""
    waiting = [part]
    for each in waiting:  # grows while it is walked
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each
        elif isinstance(each, int | float):
            yield each
