"""Sampled numbers are those that hooks in a loop of one's own give."""

import math
from typing import Any

import pytest

from tests.workers.training.harness import TrainingHarness, digits_job
from tests.workers.training.statistics.reference import train_by_hand
from workers.training.statistics.layout import network_nodes

STEPS = 3
LINEAR = [{"kind": "Flatten"}, {"kind": "Linear", "id": "linear1", "out_features": 16}]
HEAD = [{"kind": "Linear", "id": "head", "out_features": 10}]
ROWS = {"kind": "reshape", "shape": [0, 8, 8]}
MLP = [*LINEAR, {"kind": "ReLU"}, {"kind": "Dropout", "p": 0.3}, *HEAD]
CNN = [
    {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3},
    {"kind": "BatchNorm2d"},
    {"kind": "Tanh"},
    {"kind": "MaxPool2d", "kernel_size": 2},
    {"kind": "Flatten"},
    *HEAD,
]
TRANSFORMER = [
    ROWS,
    {"kind": "TransformerEncoderLayer", "d_model": 8, "nhead": 2, "dim_feedforward": 16},
    {"kind": "Flatten"},
    *HEAD,
]
TWICE = {
    "inputs": ["image"],
    "blocks": {"wide": {"layers": [{"kind": "Linear", "id": "inner", "out_features": 16}, {"kind": "GELU"}]}},
    "nodes": [
        {"id": "flat", "kind": "Flatten", "inputs": ["image"]},
        {"id": "start", "kind": "Linear", "inputs": ["flat"], "out_features": 16},
        {"id": "first", "kind": "block", "name": "wide", "inputs": ["start"], "share": "both"},
        {"id": "second", "kind": "block", "name": "wide", "inputs": ["first"], "share": "both"},
        {"id": "head", "kind": "Linear", "inputs": ["second"], "out_features": 10},
    ],
    "outputs": {"scores": "head"},
}
CASES: dict[str, tuple[Any, dict[str, Any]]] = {
    "linear": (MLP, {}),
    "convolution": (CNN, {"optimizer": {"kind": "SGD", "lr": 0.1, "momentum": 0.9}}),
    "recurrent": ([ROWS, {"kind": "LSTM", "hidden_size": 8, "returns": "last"}, *HEAD], {}),
    "attention": (TRANSFORMER, {}),
    "accumulated": (MLP, {"accumulate": 3, "steps": 2}),
    "clipped": (MLP, {"clip_norm": 0.01}),
    "bf16": (CNN, {"precision": "bf16"}),
    "averaged": (MLP, {"average": {"kind": "ema", "decay": 0.5}}),
    "frozen": (MLP, {"groups": [{"nodes": ["linear1"], "frozen": True}]}),
    "a frozen bias": (MLP, {"groups": [{"parameters": "bias_and_norm", "frozen": True}]}),
    "scheduled": (MLP, {"schedule": {"kind": "StepLR", "step_size": 1}, "warmup": {"steps": 2}}),
}


def assert_equal(found: dict[int, Any], expected: dict[int, Any]) -> None:
    """Compare: the reference has no operations that are no modules, and nothing of control flow."""
    assert found.keys() == expected.keys()
    for step, values in expected.items():
        for (node, quantity), value in values.items():
            scale = abs(values.get((node, "activation_std"), 0.0))
            close = pytest.approx(value, rel=1e-6, abs=1e-6 * scale + 1e-12)
            assert found[step][node, quantity] == close, (step, node, quantity)
        measured = {key for key in found[step] if key[1] in ("grad_norm", "weight_norm", "update_ratio")}
        assert measured == {key for key in values if not key[1].startswith("activation")}


@pytest.mark.parametrize("name", CASES)
def test_statistics_are_those_of_hooks(laboratory: TrainingHarness, name: str) -> None:
    layers, plan = CASES[name]
    job = digits_job(layers, training={"steps": STEPS, "statistics": {"every_steps": 1}} | plan)
    attempt = laboratory.run(job)
    prepared = laboratory.prepare(job)
    nodes = {path for _, _, path in network_nodes(prepared.network)}
    assert_equal(attempt.statistics(), train_by_hand(prepared, prepared.total_steps, nodes))


def test_a_shared_block_has_one_entry_for_all_its_uses(laboratory: TrainingHarness) -> None:
    job = digits_job(training={"steps": STEPS, "statistics": {"every_steps": 1}}) | {"model": TWICE}
    attempt, prepared = laboratory.run(job), laboratory.prepare(job)
    nodes = {path for _, _, path in network_nodes(prepared.network)}
    assert "first/inner" in nodes
    assert "second/inner" not in nodes
    expected = train_by_hand(prepared, STEPS, nodes)
    assert ("first/inner", "activation_mean") in expected[1]
    for step, values in expected.items():
        values.pop(("first", "activation_mean"))  # the hook is on the one module; the nodes are two
        values.pop(("first", "activation_std"))
        assert attempt.statistics()[step]["second", "activation_std"] > 0
    assert_equal(attempt.statistics(), expected)


def test_a_line_search_is_measured_at_its_first_evaluation(laboratory: TrainingHarness) -> None:
    plan = {"steps": 1, "optimizer": {"kind": "LBFGS", "max_iter": 5}, "statistics": {"every_steps": 1}}
    first = laboratory.run(digits_job(MLP, training=plan)).statistics()[1]
    plain = laboratory.run(digits_job(MLP, training=plan | {"optimizer": {"kind": "SGD", "lr": 0.1}})).statistics()[1]
    same = ("grad_norm", "weight_norm", "activation_mean", "activation_std")
    assert {key: value for key, value in first.items() if key[1] in same} == {
        key: value for key, value in plain.items() if key[1] in same
    }
    assert first["head", "update_ratio"] != plain["head", "update_ratio"]


def test_a_step_that_is_skipped_changes_nothing(laboratory: TrainingHarness) -> None:
    layers = [{"kind": "Flatten"}, {"kind": "log"}, *HEAD]  # of black pixels: minus infinity
    plan = {"steps": 1, "on_nan": "skip", "statistics": {"every_steps": 1}}
    values = laboratory.run(digits_job(layers, training=plan)).statistics()[1]
    assert values["head", "update_ratio"] == 0
    assert math.isnan(values["head", "grad_norm"])
    assert values["log1", "activation_nonfinite"] > 0
    assert not math.isfinite(values["log1", "activation_mean"])
