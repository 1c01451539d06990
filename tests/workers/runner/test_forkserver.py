"""The warm server that attempts are forked from: loaded, harmless to fork, and with nothing left to do at first use."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from app.forkserver.client import ForkServer, open_pipe
from app.spec.job import named_dataset_schema, parse_job
from workers.protocol.assignment import Assignment
from workers.protocol.messages import Ending, Outcome, receive

SPEC: dict[str, Any] = {
    "model": {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]},
    "data": {"kind": "builtin", "name": "digits", "validation": {"fraction": 0.2}, "test": {"fraction": 0.1}},
    "objective": {"loss": {"kind": "CrossEntropyLoss"}, "metrics": ["accuracy", "balanced_accuracy"]},
    "training": {"steps": 8, "device": "cpu", "checkpoint": {"every_steps": 3}},
}
REGRESSION: dict[str, Any] = {
    "model": {"layers": [{"kind": "Linear", "out_features": 1}]},
    "data": {"kind": "builtin", "name": "diabetes", "validation": {"fraction": 0.2}, "scale": "standard"},
    "objective": {"loss": {"kind": "HuberLoss"}, "metrics": ["rmse"]},
    "training": {
        "steps": 8,
        "device": "cpu",
        "optimizer": {"kind": "AdamW", "lr": 0.01},
        "schedule": {"kind": "CosineAnnealingLR"},
        "average": {"kind": "ema", "decay": 0.9},
        "clip_norm": 1.0,
    },
}


@pytest.fixture(scope="module")
def server() -> Iterator[ForkServer]:
    opened = ForkServer("tests.workers.runner.child_mains")
    yield opened
    opened.stop()


def test_the_server_is_warm_and_never_started_a_thread_nor_cuda(server: ForkServer) -> None:
    ours, theirs = open_pipe()
    process = server.start("look", theirs)
    threads, cuda, loaded = json.loads(ours.recv_bytes())
    assert process.join(10)
    assert process.exitcode == 0
    assert threads == 1
    assert cuda is False
    assert loaded == ["torch._dynamo", "torchmetrics", "workers.training.loop", "workers.children.inspect"]


@pytest.mark.parametrize("spec", [SPEC, REGRESSION])
def test_an_attempt_imports_nothing(server: ForkServer, tmp_path: Path, spec: dict[str, Any]) -> None:
    schema = named_dataset_schema(parse_job(spec))
    assert schema is not None
    assignment = Assignment("job_1", 1, spec, schema.model_dump(mode="json"), f"{tmp_path}/store", str(tmp_path), False)
    ours, theirs = open_pipe()
    process = server.start("train", theirs, replace(assignment, threads=1).to_json())
    theirs.close()
    while not isinstance(message := receive(ours), Outcome):
        pass
    assert message.ending is Ending.SUCCEEDED, message.error
    assert process.join(20)
    assert json.loads((tmp_path / "imported.json").read_text()) == []
