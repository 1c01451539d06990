"""Starting from another job's checkpoint: its weights, or everything."""

from typing import Any

import pytest
import torch

from app.errors import BuildError, DataError
from tests.workers.training.laboratory import Laboratory, job, resumed
from workers.assignment import Resume

PLAN = {"steps": 12, "checkpoint": {"every_seconds": None, "keep_best": 0}}


def starting(what: str, **training: Any) -> dict[str, Any]:
    return job(training=PLAN | training) | {"start_from": {"checkpoint": "ckpt_" + "0" * 32, "what": what}}


@pytest.fixture
def begun(laboratory: Laboratory) -> Resume:
    attempt = laboratory.run(job(training=PLAN), stops={6: "pause"})
    return resumed(*attempt.context.saved)[0]


def test_everything_goes_on_as_if_nothing_had_happened(laboratory: Laboratory, begun: Resume) -> None:
    whole = laboratory.run(job(training=PLAN))
    continued = laboratory.run(starting("everything"), start=begun)
    assert continued.weights() == whole.weights()
    assert [step for step, _ in continued.points("train/loss")] == list(range(7, 13))


def test_weights_alone_begin_a_training_of_their_own(laboratory: Laboratory, begun: Resume) -> None:
    prepared = laboratory.prepare(starting("weights"), start=begun)
    source = laboratory.run(job(training=PLAN | {"steps": 6}))
    for name, value in source.prepared.network.state_dict().items():
        assert torch.equal(prepared.network.state_dict()[name], value)
    assert prepared.state.counters.step == 0
    attempt = laboratory.run(starting("weights"), start=begun)
    assert [step for step, _ in attempt.points("train/loss")] == list(range(1, 13))


def test_a_resumed_attempt_does_not_start_again(laboratory: Laboratory, begun: Resume) -> None:
    first = laboratory.run(starting("weights"), start=begun, stops={4: "pause"})
    second = laboratory.run(starting("weights"), start=begun, resume=resumed(*first.context.saved))
    assert second.weights() == laboratory.run(starting("weights"), start=begun).weights()


def test_weights_of_another_network_are_refused(laboratory: Laboratory, begun: Resume) -> None:
    spec = starting("weights") | {"model": {"layers": [{"kind": "Flatten"}, {"kind": "Linear", "out_features": 10}]}}
    with pytest.raises(BuildError, match="do not fit") as caught:
        laboratory.prepare(spec, start=begun)
    assert caught.value.pointer == "/start_from"


def test_a_damaged_checkpoint_is_refused(laboratory: Laboratory, begun: Resume) -> None:
    damaged = Resume(begun.checkpoint, begun.step, tuple({**file, "sha256": "0" * 64} for file in begun.files))
    with pytest.raises(DataError, match="damaged"):
        laboratory.prepare(starting("weights"), start=damaged)
