"""Several operations of one edit: each finds the network, and the weights, that those before it make."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.workers.training.edits.job_log import QUIET, JobLog, assert_equal_states, edit, stored_state
from tests.workers.training.edits.test_replay import assert_repeatable
from tests.workers.training.harness import TrainingHarness, digits_job
from workers.training.state import NETWORK_PREFIX, strip_prefix

LAYERS = [
    {"kind": "Flatten"},
    {"kind": "Linear", "id": "first", "out_features": 8},
    {"kind": "ReLU", "id": "relu"},
    {"kind": "Linear", "id": "mid", "out_features": 8},
    {"kind": "ReLU"},
    {"kind": "Linear", "id": "last", "out_features": 10},
]
NEW = {"op": "insert", "after": "relu", "node": {"id": "new", "kind": "Linear", "out_features": 8}, "init": "identity"}
WIDEN = {"op": "widen", "node": "first", "to": 16, "noise": 0.1}
SCRIPTS: dict[str, list[dict[str, Any]]] = {
    "a new node": [NEW, {"op": "narrow", "node": "new", "to": 5}],
    "a renamed node": [{"op": "rename", "node": "first", "to": "stem"}, {"op": "narrow", "node": "stem", "to": 5}],
    "a wider node": [
        {"op": "widen", "node": "first", "to": 16, "noise": 0.1},
        {"op": "narrow", "node": "mid", "to": 5},
    ],
    "an even wider node": [{"op": "widen", "node": "mid", "to": 16}, {"op": "narrow", "node": "mid", "to": 5}],
}


def by_magnitude(weights: dict[str, Tensor], node: str, reader: str) -> Tensor:
    own, bias, read = weights[f"{node}.weight"], weights[f"{node}.bias"], weights[f"{reader}.weight"]
    return own.double().norm(dim=1) + bias.double().abs() + read.double().norm(dim=0)


def best(scores: Tensor, count: int) -> list[int]:
    return sorted(torch.sort(scores, descending=True, stable=True).indices[:count].tolist())


def job(seed: int = 0) -> dict[str, Any]:
    plan = {"steps": 10, "seed": seed, "optimizer": {"kind": "Adam", "lr": 0.02}, "checkpoint": QUIET}
    return digits_job(LAYERS, training=plan)


@pytest.mark.parametrize("by", ["magnitude", "gradient"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_units_of_a_node_that_the_edit_has_changed_are_chosen(laboratory: TrainingHarness, name: str, by: str) -> None:
    *others, narrow = SCRIPTS[name]
    log = JobLog(laboratory, job(), (edit(1, *others, {**narrow, "by": by}, at={"step": 4}),))
    whole = assert_repeatable(laboratory, log, name)
    assert whole.rejected == []
    (choice,) = (each.choices for each in whole.edits)
    assert [len(chosen) for chosen in choice.values()] == [5]


@pytest.mark.parametrize("seed", range(4))
def test_a_choice_is_of_the_weights_that_are_left(laboratory: TrainingHarness, seed: int) -> None:
    operations = [{"op": "narrow", "node": "first", "to": 3}, {"op": "narrow", "node": "mid", "to": 4}]
    log = JobLog(laboratory, job(seed), (edit(1, *operations, at={"step": 4}),))
    log.run()
    tensors, _ = stored_state(laboratory, log.saved[0])
    weights = strip_prefix(NETWORK_PREFIX, tensors)
    first = best(by_magnitude(weights, "first", "mid"), 3)
    weights["mid.weight"] = weights["mid.weight"][:, first]
    second = best(by_magnitude(weights, "mid", "last"), 4)
    (choices,) = (each.choices for each in log.edits)
    assert {place: list(chosen) for place, chosen in choices.items()} == {0: first, 1: second}


def test_a_choice_by_gradient_is_that_of_the_network_before_it(laboratory: TrainingHarness) -> None:
    operations = [
        {"op": "narrow", "node": "first", "to": 3},
        {"op": "narrow", "node": "mid", "to": 4, "by": "gradient"},
    ]
    log = JobLog(laboratory, job(), (edit(1, *operations, at={"step": 4}),))
    attempt = log.run()
    tensors, _ = stored_state(laboratory, log.saved[0])
    weights = strip_prefix(NETWORK_PREFIX, tensors)
    first = best(by_magnitude(weights, "first", "mid"), 3)
    for name, part in (("first.weight", first), ("first.bias", first), ("mid.weight", (slice(None), first))):
        weights[name] = weights[name][part]
    linear = {name: nn.Linear(*reversed(weights[f"{name}.weight"].shape)) for name in ("first", "mid", "last")}
    for name, part in linear.items():
        part.load_state_dict({kind: weights[f"{name}.{kind}"] for kind in ("weight", "bias")})
    network = nn.Sequential(nn.Flatten(), linear["first"], nn.ReLU(), linear["mid"], nn.ReLU(), linear["last"])
    ((inputs, targets, _),) = attempt.prepared.state.source.batches(4)
    nn.CrossEntropyLoss()(network(*inputs.values()), *targets.values()).backward()
    scores = torch.zeros(8, dtype=torch.float64)
    for parameter, axis in ((linear["mid"].weight, 0), (linear["mid"].bias, 0), (linear["last"].weight, 1)):
        assert parameter.grad is not None
        product = (parameter.detach().double() * parameter.grad.double()).movedim(axis, 0)
        scores += product.reshape(8, -1).sum(1).abs()
    (choices,) = (each.choices for each in log.edits)
    assert list(choices[1]) == best(scores, 4)


@pytest.mark.parametrize("keep", [[0, 1, 2], [5, 6, 7], [0, 2, 4]])
def test_units_that_are_given_stay_the_first_ones_too(laboratory: TrainingHarness, keep: list[int]) -> None:
    log = JobLog(laboratory, job(), (edit(1, {"op": "narrow", "node": "mid", "keep": keep}, at={"step": 4}),))
    log.run()
    assert log.rejected == []
    before, after = (stored_state(laboratory, saved)[0] for saved in log.saved[:2])
    assert torch.equal(after["network/mid.weight"], before["network/mid.weight"][keep])
    assert torch.equal(after["network/last.weight"], before["network/last.weight"][:, keep])
    for moment in ("exp_avg", "exp_avg_sq"):
        assert torch.equal(after[f"optimizer/2/{moment}"], before[f"optimizer/2/{moment}"][keep])
        assert torch.equal(after[f"optimizer/4/{moment}"], before[f"optimizer/4/{moment}"][:, keep])


def test_a_widening_that_is_taken_back_leaves_every_bit(laboratory: TrainingHarness) -> None:
    operations = [{"op": "widen", "node": "mid", "to": 11, "init": "zero"}]
    operations += [{"op": "narrow", "node": "mid", "keep": list(range(8))}]
    log = JobLog(laboratory, job(), (edit(1, *operations, at={"step": 4}),))
    log.run()
    plain = JobLog(laboratory, job())
    plain.run()
    assert log.rejected == []
    assert_equal_states(log.final_state(), plain.final_state(), but=["revision"])
