import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from app.api.children.inspector import InspectionError, Inspector
from app.api.children.pool import ChildProcess, PoolSlot
from app.errors import InvalidInput, Problem, ServiceOverloaded
from app.settings import Settings
from app.spec.data.sources import BUILTIN_SCHEMAS, UploadSource

SCHEMA = BUILTIN_SCHEMAS["wine"]
UPLOAD = UploadSource(kind="upload")
# A question that takes many seconds: 3,660 gradients, each beside two passes through a thousand layers.
SLOW: dict[str, Any] = {
    "inputs": {"x": {"shape": [60]}},
    "gradcheck": True,
    "model": {"layers": [{"kind": "Linear", "out_features": 60}, *[{"kind": "Tanh"}] * 1000]},
}
LONG = [{"kind": "Linear", "out_features": 13}] * 10_000


def job(layers: Any, **parts: Any) -> dict[str, Any]:
    return {
        "model": {"layers": layers},
        "data": {"kind": "builtin", "name": "wine"},
        "objective": {"loss": {"kind": "CrossEntropyLoss"}},
    } | parts


def linear(width: int) -> dict[str, Any]:
    return {"kind": "Linear", "out_features": width}


@pytest.fixture(scope="module")
def inspector() -> Iterator[Inspector]:
    opened = Inspector(Settings())
    opened.warm_up()
    yield opened
    opened.close()


@pytest.fixture
def impatient() -> Iterator[Inspector]:
    """An inspector that waits for half a second, with one warm child."""
    opened = Inspector(Settings(inspect_seconds=0.5))
    yield opened
    opened.close()


def only(inspector: Inspector, document: dict[str, Any]) -> Problem:
    with pytest.raises(InspectionError) as caught:
        inspector.inspect(document, SCHEMA)
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def pids(inspector: Inspector) -> set[int]:
    """The processes of the children."""
    with inspector.inspect_pool.acquire_all() as specs, inspector.question_pool.acquire_all() as questions:
        children = [place.child for place in (*specs, *questions)]
    return {child.pid for child in children if child is not None and child.pid is not None}


def test_a_report(inspector: Inspector) -> None:
    report = inspector.inspect(job([linear(3)]), SCHEMA)
    assert report["totals"]["parameters"] == 13 * 3 + 3
    assert report["nodes"][0]["output"] == {"shape": ["N", 3], "dtype": "float32"}


def test_problems_come_with_the_part_that_is_settled(inspector: Inspector) -> None:
    with pytest.raises(InvalidInput) as caught:
        inspector.inspect(job([linear(3), {"kind": "Conv2d", "out_channels": 1, "kernel_size": 1}]), SCHEMA)
    assert isinstance(caught.value, InspectionError)
    assert [problem.pointer for problem in caught.value.problems] == ["/model/layers/1"]
    assert [node["id"] for node in caught.value.partial["nodes"]] == ["linear1"]


def test_a_child_is_kept(inspector: Inspector) -> None:
    before = pids(inspector)
    for width in range(3, 30):
        inspector.inspect(job([linear(width)]), SCHEMA)
    assert pids(inspector) == before
    assert len(before) == 2


def test_many_threads(inspector: Inspector) -> None:
    found: dict[int, int] = {}

    def look(width: int) -> None:
        found[width] = inspector.inspect(job([linear(width)]), SCHEMA)["totals"]["parameters"]

    threads = [threading.Thread(target=look, args=(width,)) for width in range(3, 23)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {width: 14 * width for width in range(3, 23)}


@pytest.mark.parametrize("name", [signal.SIGKILL, signal.SIGABRT, signal.SIGTERM])
def test_a_child_killed_while_it_waits_is_replaced(inspector: Inspector, name: signal.Signals) -> None:
    inspector.warm_up()
    before = pids(inspector)
    for pid in before:
        os.kill(pid, name)
    gone(before)
    assert inspector.inspect(job([linear(3)]), SCHEMA)["nodes"]
    inspector.warm_up()
    assert len(pids(inspector)) == 2
    assert pids(inspector).isdisjoint(before)


def test_a_child_killed_at_work_gets_a_second_try(inspector: Inspector) -> None:
    inspector.warm_up()
    before = pids(inspector)
    killers = [threading.Timer(0.2, os.kill, (pid, signal.SIGKILL)) for pid in before]
    for killer in killers:
        killer.start()
    slow = job([*({"kind": "clamp", "max": place + 0.5} for place in range(9_900)), linear(3)])
    assert inspector.inspect(slow, SCHEMA)["nodes"]
    assert len(pids(inspector) - before) == 1


def gone(processes: set[int]) -> None:
    end = time.monotonic() + 5
    while any(psutil.pid_exists(pid) for pid in processes):
        assert time.monotonic() < end
        time.sleep(0.01)


def test_ctrl_c_does_not_end_a_child(inspector: Inspector) -> None:
    inspector.warm_up()
    before = pids(inspector)
    for pid in before:
        os.kill(pid, signal.SIGINT)
    assert inspector.inspect(job([linear(3)]), SCHEMA)["nodes"]
    assert pids(inspector) == before


def test_what_takes_too_long_is_refused(impatient: Inspector) -> None:
    impatient.inspect_model(SLOW | {"gradcheck": False})
    before = pids(impatient)
    with pytest.raises(InspectionError) as caught:
        impatient.inspect_model(SLOW)
    (found,) = caught.value.problems
    assert (found.pointer, found.code) == ("/model", "too_complex")
    assert "0.5 s" in found.detail
    (killed,) = before - pids(impatient)
    gone({killed})
    assert impatient.inspect_model(SLOW | {"gradcheck": False})["nodes"]


def test_a_child_that_is_stopped_is_killed(impatient: Inspector) -> None:
    impatient.warm_up()
    before = pids(impatient)
    for pid in before:
        os.kill(pid, signal.SIGSTOP)
    large = job([linear(3)], metadata={"note": "x" * (1 << 20)})  # more than a pipe holds
    assert only(impatient, large).code == "too_complex"
    assert len(before & pids(impatient)) == 1


def test_beyond_capacity_requests_are_turned_away(impatient: Inspector) -> None:
    with impatient.inspect_pool.acquire_all(), pytest.raises(ServiceOverloaded):
        impatient.inspect(job([linear(3)]), SCHEMA)
    assert impatient.inspect(job([linear(3)]), SCHEMA)["nodes"]


def test_what_takes_too_much_memory_is_refused() -> None:
    inspector = Inspector(Settings(inspect_memory=1 << 24))
    try:
        wide = job([{"kind": "ReLU"}] * 10_000)
        found = only(inspector, wide)
        assert (found.pointer, found.code) == ("/model", "too_complex")
        assert "16 MiB" in found.detail
        assert inspector.inspect(job([linear(3)]), SCHEMA)["nodes"]
    finally:
        inspector.close()


@pytest.mark.parametrize(
    "layers",
    [
        LONG,
        [{"kind": "Constant", "value": [[[[1]]]] * 100_000}],
        [None] * 200_000,
        [{"kind": "Linear", "out_features": 10**400}],
        [{"kind": "\ud800"}],
        [{"kind": "ReLU", "id": "x" * 900_000}],
    ],
    ids=["long", "deep", "empty", "huge", "surrogate", "name"],
)
def test_hostile_specs_get_a_verdict(inspector: Inspector, layers: Any) -> None:
    with nullcontext() if layers == LONG else pytest.raises(InspectionError) as caught:
        assert len(inspector.inspect(job(layers), SCHEMA)["nodes"]) == len(LONG)
    if caught is not None:
        assert "inspection_failed" not in {problem.code for problem in caught.value.problems}


def test_the_warmest_child_is_taken_first() -> None:
    cold, warm = PoolSlot(0), PoolSlot(1)
    warm.child = ChildProcess.__new__(ChildProcess)
    assert warm < cold
    assert not cold < warm


def test_uploads_are_described(inspector: Inspector, tmp_path: Path) -> None:
    path = tmp_path / "data"
    with path.open("wb") as file:
        np.savez(file, x=np.zeros((4, 3), np.float32), y=np.arange(4))
    found = inspector.describe_upload(path, UPLOAD)
    assert found.schema is not None
    assert found.format == "npz"
    assert found.schema.rows == {"train": 4}
    assert found.preview[1] == {"x": [0, 0, 0], "y": 1}
    assert not found.problems
    path.write_text("a,b\n1,2\n3,4\n")
    named = inspector.describe_upload(path, UPLOAD.model_copy(update={"target": "a"}))
    assert named.schema is not None
    assert named.schema.target == "a"


def test_an_upload_that_cannot_be_read_has_problems(inspector: Inspector, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"nothing")
    for content_format, path in (("npz", tmp_path / "data"), ("safetensors", tmp_path / "data"), ("csv", tmp_path)):
        found = inspector.describe_upload(
            path, UploadSource.model_validate({"kind": "upload", "format": content_format})
        )
        assert found.schema is None
        assert found.problems


def test_an_upload_takes_no_more_memory_than_allowed(tmp_path: Path) -> None:
    inspector = Inspector(Settings(upload_limit=1 << 20))
    with (tmp_path / "data").open("w") as file:
        file.write("a,b\n" + "1,2\n" * 400_000)
    found = inspector.describe_upload(tmp_path / "data", UPLOAD)
    assert found.schema is None
    assert [problem.code for problem in found.problems] == ["too_large"]
    inspector.close()


READ_FOR_EVER = """
import sys
from pathlib import Path
from app.api.children.inspector import INSPECTOR_MAIN
from app.api.children.pool import ChildProcess
from workers.protocol.child_requests import DescribeRequest
child = ChildProcess(INSPECTOR_MAIN, 1 << 30)
print(child.pid, flush=True)
child.request(DescribeRequest(Path(sys.argv[1]), {"kind": "upload", "format": "csv"}, 1 << 20), 600)
"""


def test_a_child_ends_with_its_service_in_the_middle_of_a_request(tmp_path: Path) -> None:
    """It reads a file that never comes, and its service is killed: what it would write, nobody wants."""
    os.mkfifo(tmp_path / "rows.csv")
    command = [sys.executable, "-c", READ_FOR_EVER, str(tmp_path / "rows.csv")]
    environment = {name: value for name, value in os.environ.items() if name != "GRAFTWERK_FORK_SERVER"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as service:
        assert service.stdout is not None
        child = psutil.Process(int(service.stdout.readline()))
        time.sleep(0.2)
        assert child.is_running()
        service.kill()
    deadline = time.monotonic() + 20
    while child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline
        time.sleep(0.05)
