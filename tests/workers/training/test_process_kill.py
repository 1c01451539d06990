"""Attempts in processes of their own, killed at random with no chance to say so: the same bits, the same points."""

import os
import signal
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import file_digest
from pathlib import Path
from random import Random
from typing import Any

import pytest

from app.spec.data.columns import DataSchema
from app.spec.job import named_dataset_schema, parse_job
from tests.examples.example_runner import TREES_FILE, shortened_spec, upload_trees
from tests.full import choose
from tests.workers.training.crashes import RecordedHistory
from tests.workers.training.harness import digits_job, resume_candidates
from tests.workers.training.sources.environment_jobs import episodes_job, replay_job, rollout_job
from workers.protocol.assignment import Assignment, DatasetRef
from workers.protocol.messages import Ending, Outcome, SavedCheckpoint, receive
from workers.runner import forkserver

STEPS, KILLS = 60, 3
PLAN = {"steps": STEPS, "device": "cpu", "checkpoint": {"every_steps": 7, "every_seconds": None, "keep_best": 0}}
GRU = [
    {"kind": "reshape", "shape": [0, 8, 8]},
    {"kind": "GRU", "hidden_size": 8, "returns": "last"},
    {"kind": "Dropout", "p": 0.2},
    {"kind": "Linear", "out_features": 10},
]
STREAMED_IMAGES = {
    "kind": "builtin",
    "name": "digits",
    "loading": "streamed",
    "validation": {"fraction": 0.8},
    "transforms": [{"kind": "RandomRotation", "degrees": 15}, {"kind": "MixUp"}],
}
JOBS: Mapping[str, dict[str, Any]] = {
    "dropout, schedule and average": digits_job(
        training=PLAN | {"schedule": {"kind": "OneCycleLR", "max_lr": 0.05}, "average": {"kind": "ema", "decay": 0.9}}
    ),
    "GRU in bf16": digits_job(GRU, training=PLAN | {"precision": "bf16", "accumulate": 2, "steps": 24}),
    "LBFGS": digits_job(training=PLAN | {"optimizer": {"kind": "LBFGS", "max_iter": 4}, "steps": 24}),
    "streamed pictures": digits_job(data=STREAMED_IMAGES, training=PLAN | {"steps": 24}),
    "replay": replay_job(**PLAN),
    "rollouts": rollout_job(**PLAN | {"steps": 24}),
    "episodes": episodes_job(**PLAN | {"steps": 24}),
    "trees": shortened_spec("tree-lstm", **PLAN | {"steps": 24}, batch_size=16),
}


@dataclass
class SubprocessRunner:
    """Starts attempts and records what they tell, as a supervisor does."""

    folder: Path
    spec: dict[str, Any]
    fence: int = 0

    def attempt(self, history: RecordedHistory, kill_at: int | None = None) -> Outcome | None:
        """Run an attempt; with `kill_at` it is killed when a checkpoint of that step or a later one is announced."""
        self.fence += 1
        schema, dataset = named_dataset_schema(parse_job(self.spec)), None
        if schema is None:
            schema, dataset = self.trees, DatasetRef({"kind": "upload", "format": "npz", "target": None}, TREES_FILE)
        assignment = Assignment(
            "job_1",
            self.fence,
            self.spec,
            schema.model_dump(mode="json"),
            f"{self.folder}/store",
            str(self.folder),
            False,
            loaders=2,
            dataset=dataset,
            resume_from=resume_candidates(*history.saved),
        )
        started = forkserver.start(assignment)
        process, pipe = started.reporter, started.pipe
        outcome = None
        try:
            while True:
                message = receive(pipe)
                history.record(message)
                if isinstance(message, Outcome):
                    outcome = message
                if isinstance(message, SavedCheckpoint) and kill_at is not None and message.step >= kill_at:
                    os.kill(process.pid or 0, signal.SIGKILL)
        except (EOFError, OSError):
            process.join()
        pipe.close()
        return outcome

    @cached_property
    def trees(self) -> DataSchema:
        return upload_trees(self.folder / "store" / TREES_FILE)


def weights(service: SubprocessRunner, history: RecordedHistory) -> str:
    """Return the SHA-256 of the last weights, as they lie in the store."""
    assert history.saved[-1].final
    (file,) = [file for file in history.saved[-1].files if file.name == "weights.safetensors"]
    with (service.folder / "store" / file.path).open("rb") as content:
        assert file_digest(content, "sha256").hexdigest() == file.sha256
    return file.sha256


@pytest.mark.parametrize("name", choose(JOBS, "dropout, schedule and average", "streamed pictures", "replay"))
def test_a_killed_attempt_changes_nothing(tmp_path: Path, name: str) -> None:
    service, draw = SubprocessRunner(tmp_path, JOBS[name]), Random(name)
    undisturbed, disturbed = RecordedHistory(), RecordedHistory()
    ending = service.attempt(undisturbed)
    assert ending is not None
    assert ending.ending is Ending.SUCCEEDED, ending.error
    steps = JOBS[name]["training"]["steps"]
    for kill_at in sorted(draw.sample(range(1, steps - 7), KILLS)):
        service.attempt(disturbed, kill_at)
    rewinds = len(disturbed.saved)
    ending = service.attempt(disturbed)
    assert ending is not None
    assert ending.ending is Ending.SUCCEEDED, ending.error
    assert rewinds > 0
    assert weights(service, disturbed) == weights(service, undisturbed)
    assert disturbed.points == undisturbed.points
    losses = {step for name, points in disturbed.points.items() if name.endswith("/loss") for step, _ in points}
    assert losses == set(range(1, steps + 1))
