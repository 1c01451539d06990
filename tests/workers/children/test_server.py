"""Requests that a child answers, whatever comes of them."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from workers.children.server import handle_request
from workers.protocol.child_requests import (
    REQUESTS,
    RESPONSES,
    CheckpointRequest,
    CheckpointResponse,
    FailureResponse,
    QueryRequest,
)

REQUEST = CheckpointRequest(Path("body"), "application/json", 3)
FREED = """
import ctypes
from workers.children.memory import GrowthLimit, private_bytes

MIB = 1 << 20
limit = GrowthLimit(8 * MIB)
blocks = [bytearray(MIB // 4) for _ in range(128)]
pin = ctypes.create_string_buffer(1000)  # after the blocks: the heap cannot shrink
assert limit.is_exceeded()
before = private_bytes()
del blocks
assert private_bytes() > before - 8 * MIB, "the allocator gave the memory back by itself"
print(limit.is_exceeded())
"""


MAPPED = """
import mmap, sys
from workers.children.memory import GrowthLimit

MIB = 1 << 20
with open(sys.argv[1], "wb") as file:
    file.truncate(64 * MIB)
limit = GrowthLimit(8 * MIB)
with open(sys.argv[1], "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
    assert sum(mapped[::4096]) == 0
    print(limit.is_exceeded())
"""


def respond(request: Any, handlers: Any) -> Any:
    return RESPONSES.decode(handle_request(REQUESTS.encode(request), handlers))


def test_a_request_and_its_response_are_json() -> None:
    handlers = {CheckpointRequest: lambda request: CheckpointResponse(request.body.name)}
    assert respond(REQUEST, handlers) == CheckpointResponse("body")


def test_an_unknown_request_is_answered_too() -> None:
    assert RESPONSES.decode(handle_request(b'{"type": "that"}', {})) == FailureResponse("KeyError: 'that'")
    assert isinstance(respond(QueryRequest({}, 1), {}), FailureResponse)


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (MemoryError(), "memory"),
        (SystemError("error return without exception set"), "memory"),
        (KeyError("kind"), "KeyError: 'kind'"),
    ],
    ids=["memory", "system", "another"],
)
def test_a_request_that_fails_is_answered(error: Exception, failure: str) -> None:
    def fail(request: Any) -> Any:
        raise error

    assert respond(REQUEST, {CheckpointRequest: fail}) == FailureResponse(failure)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
@pytest.mark.parametrize("program", [FREED, MAPPED], ids=["freed", "mapped"])
def test_freed_memory_and_mapped_files_do_not_count_as_growth(program: str, tmp_path: Path) -> None:
    """A machine's allocator may keep what is freed, and pages of libraries come in when they are first used."""
    keep = {"MALLOC_TRIM_THRESHOLD_": str(1 << 30), "MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_ARENA_MAX": "1"}
    run = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "file")],
        cwd=Path(__file__).parents[3],
        env={**os.environ, **keep},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.stdout.split() == ["False"], run.stderr
