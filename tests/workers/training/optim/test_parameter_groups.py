"""Groups of parameters: who is in which, what they change, and what is wrong with them."""

from typing import Any

import pytest
import torch
from torch import nn, optim

from app.spec.job import named_dataset_schema, parse_job
from app.spec.training.optimizers import OPTIMIZER_CLASSES, OPTIMIZERS
from app.spec.training.plan import Training
from tests.workers.training.harness import TrainingHarness, digits_job, rows_of
from workers.children.inspect import InspectionLimits, inspect_job
from workers.network.analysis.parameters import ParameterInfo
from workers.network.runtime.build import BuiltNetwork, build
from workers.training.optim.optimizers import build_optimizer
from workers.training.optim.parameter_groups import split_parameters

LIMITS = InspectionLimits(1000, 10**7, 1 << 30)
RESIDUAL = {
    "inputs": ["x"],
    "nodes": [
        {"id": "conv", "kind": "Conv2d", "inputs": ["x"], "out_channels": 4, "kernel_size": 3, "padding": 1},
        {"id": "norm", "kind": "BatchNorm2d", "inputs": ["conv"]},
        {"id": "sum", "kind": "add", "inputs": ["x", "norm"]},
    ],
    "outputs": {"y": "sum"},
}
MODEL: dict[str, Any] = {
    "nodes": [
        {"id": "stem", "kind": "Conv2d", "inputs": ["image"], "out_channels": 4, "kernel_size": 3, "padding": 1},
        {"id": "body", "kind": "block", "name": "Residual", "inputs": ["stem"]},
        {"id": "again", "kind": "block", "name": "Residual", "inputs": ["body"], "share": "one"},
        {"id": "tied", "kind": "block", "name": "Residual", "inputs": ["again"], "share": "one"},
        {"id": "scale", "kind": "Parameter", "shape": [1], "init": {"kind": "ones"}},
        {"id": "scaled", "kind": "mul", "inputs": ["tied", "scale"]},
        {"id": "flat", "kind": "Flatten", "inputs": ["scaled"]},
        {"id": "head", "kind": "Linear", "inputs": ["flat"], "out_features": 10},
    ],
    "outputs": {"logits": "head"},
    "blocks": {"Residual": RESIDUAL},
}
EVERYTHING = {"stem.weight", "stem.bias", "scale", "head.weight", "head.bias"} | {
    f"{block}.{name}"
    for block in ("body", "again")
    for name in ("conv.weight", "conv.bias", "norm.weight", "norm.bias")
}


def plan(*groups: dict[str, Any], **more: Any) -> Training:
    return Training.model_validate({"groups": groups, **more})


def network() -> BuiltNetwork:
    spec = parse_job(digits_job() | {"model": MODEL})
    schema = named_dataset_schema(spec)
    assert schema is not None
    return build(spec.model, schema, schema.inputs)


def names_of(weights: list[ParameterInfo]) -> set[str]:
    return {weight.name for weight in weights}


@pytest.mark.parametrize(
    ("group", "members"),
    [
        ({"nodes": ["stem"]}, {"stem.weight", "stem.bias"}),
        ({"nodes": ["stem"], "parameters": "weights"}, {"stem.weight"}),
        ({"nodes": ["body.conv", "scale"]}, {"body.conv.weight", "body.conv.bias", "scale"}),
        ({"nodes": ["body"], "parameters": "bias_and_norm"}, {"body.conv.bias", "body.norm.weight", "body.norm.bias"}),
        ({"nodes": ["tied.conv.bias"]}, {"again.conv.bias"}),
        ({"parameters": "bias_and_norm"}, {name for name in EVERYTHING if "norm" in name or "bias" in name}),
        ({"parameters": "weights"}, {name for name in EVERYTHING if "norm" not in name and "bias" not in name}),
    ],
)
def test_members_are_those_below_the_nodes(group: dict[str, Any], members: set[str]) -> None:
    blueprint = network().blueprint
    parts = split_parameters(blueprint, plan({**group, "lr": 0.5}))
    assert not parts.problems
    (own, ours), (theirs, other) = parts.trainable
    assert names_of(theirs) == members
    assert names_of(own) == EVERYTHING - members
    assert (ours, other) == ({}, {"lr": 0.5})
    frozen = split_parameters(blueprint, plan({**group, "frozen": True}))
    assert names_of(frozen.frozen) == members
    assert [names_of(problems) for problems, _ in frozen.trainable] == [EVERYTHING - members]


def test_a_group_without_nodes_takes_what_others_leave() -> None:
    parts = split_parameters(
        network().blueprint, plan({"parameters": "all", "frozen": True}, {"nodes": ["head"], "lr": 0.5})
    )
    assert not parts.problems
    assert [names_of(problems) for problems, _ in parts.trainable] == [{"head.weight", "head.bias"}]
    assert names_of(parts.frozen) == EVERYTHING - {"head.weight", "head.bias"}


@pytest.mark.parametrize(
    ("groups", "pointer", "code", "words"),
    [
        ([{"nodes": ["stam"]}], "/training/groups/0/nodes/0", "unknown_node", 'did you mean "stem"'),
        ([{"nodes": ["head", "conv"]}], "/training/groups/0/nodes/1", "unknown_node", 'did you mean "body.conv"'),
        ([{"nodes": ["flat"]}], "/training/groups/0/nodes/0", "no_parameters", '"flat" has no parameters'),
        ([{"nodes": ["body.sum"]}], "/training/groups/0/nodes/0", "no_parameters", '"body.sum" has no parameters'),
        (
            [{"nodes": ["scale"], "parameters": "bias_and_norm"}],
            "/training/groups/0/nodes/0",
            "no_parameters",
            "no biases or normalisations",
        ),
        (
            [{"nodes": ["body"]}, {"nodes": ["head", "body.conv"]}],
            "/training/groups/1/nodes/1",
            "in_two_groups",
            "in group 0 too",
        ),
        ([{"nodes": ["again"]}, {"nodes": ["tied"]}], "/training/groups/1/nodes/0", "in_two_groups", "in group 0 too"),
        (
            [{"parameters": "weights"}, {"lr": 1.0}, {"parameters": "bias_and_norm"}],
            "/training/groups/2",
            "no_parameters",
            "all of them belong to other groups",
        ),
        ([{"frozen": True}], "/training/groups", "nothing_to_train", "all parameters are frozen"),
        (
            [{"nodes": ["stem"], "momentum": 0.9}],
            "/training/groups/0/momentum",
            "unknown_field",
            "Adam has no momentum",
        ),
        ([{"nodes": ["stem"], "frozen": True, "lr": 0.1}], "/training/groups/0/frozen", "contradiction", "remove lr"),
        ([{"nodes": ["stem"], "eps": [None, 0.1]}], "/training/groups/0/eps", "invalid_value", "valid number"),
        ([{"nodes": ["stem"], "lr": -1}], "/training/groups/0/lr", "out_of_range", "greater than or equal to 0"),
        ([{"nodes": ["stem"], "betas": [1.0, 0.9]}], "/training/groups/0/betas/0", "out_of_range", "less than 1"),
        ([{"nodes": ["stem."]}], "/training/groups/0/nodes/0", "invalid_name", "pattern"),
        ([{"nodes": ["stem"], "learning_rate": 1}], "/training/groups/0/learning_rate", "unknown_field", "no field"),
    ],
)
def test_what_is_wrong_is_told_when_the_job_is_posted(
    groups: list[dict[str, Any]], pointer: str, code: str, words: str
) -> None:
    problems = inspect_job(digits_job(training={"groups": groups}) | {"model": MODEL}, None, LIMITS).problems
    assert [(problem.pointer, problem.code) for problem in problems] == [(pointer, code)]
    assert words in problems[0].detail + " " + problems[0].hint


@pytest.mark.parametrize(
    ("training", "pointer", "words"),
    [
        ({"optimizer": {"kind": "Muon"}}, "/training/optimizer", "stem.weight, stem.bias"),
        ({"optimizer": {"kind": "Adam", "betas": [0.9, 1.0]}}, "/training/optimizer/betas/1", "less than 1"),
        ({"optimizer": {"kind": "SGD", "nesterov": True}}, "/training/optimizer", "momentum"),
        (
            {"optimizer": {"kind": "Rprop"}, "schedule": {"kind": "OneCycleLR", "max_lr": 1, "cycle_momentum": True}},
            "/training/schedule",
            "momentum",
        ),
        ({"schedule": {"kind": "LinearLR", "start_factor": 3.0}}, "/training/schedule", "factor"),
        (
            {"optimizer": {"kind": "Adagrad"}, "groups": [{"nodes": ["stem"], "initial_accumulator_value": 1}]},
            "/training/groups/0/initial_accumulator_value",
            "for all parameters",
        ),
    ],
)
def test_what_torch_would_refuse_is_told_when_the_job_is_posted(
    training: dict[str, Any], pointer: str, words: str
) -> None:
    problems = inspect_job(digits_job(training=training) | {"model": MODEL}, None, LIMITS).problems
    assert [problem.pointer for problem in problems] == [pointer]
    assert words in problems[0].detail


@pytest.mark.parametrize(
    ("frozen", "output", "places"),
    [
        (["head"], "logits", []),
        (["stem", "body", "again", "scale", "head"], "logits", ["/training/groups"]),
        (["stem", "body", "again", "scale", "head"], "more", []),
    ],
)
def test_a_loss_must_reach_what_is_trained(frozen: list[str], output: str, places: list[str]) -> None:
    more = [{"id": "side", "kind": "Linear", "inputs": ["flat"], "out_features": 10}]
    outputs = {"logits": "head", "more": "side"}
    model = MODEL | {"nodes": [*MODEL["nodes"], *more], "outputs": outputs}
    objective = {"loss": {"kind": "CrossEntropyLoss"}, "output": output}
    spec = digits_job(training={"groups": [{"nodes": frozen, "frozen": True}]}, objective=objective) | {"model": model}
    assert [problem.pointer for problem in inspect_job(spec, None, LIMITS).problems] == places


def test_frozen_parameters_take_no_gradients_and_no_states() -> None:
    spec = digits_job(training={"groups": [{"nodes": ["body", "again", "stem"], "frozen": True}]}) | {"model": MODEL}
    frozen, whole = (inspect_job(each, None, LIMITS).report for each in (spec, digits_job() | {"model": MODEL}))
    count = frozen["totals"]["trainable"]
    assert count == 10 * (4 * 8 * 8 + 1) + 1
    assert frozen["memory"]["gradients"] == 4 * count < whole["memory"]["gradients"]
    assert frozen["memory"]["optimizer"] == 8 * count
    assert frozen["memory"]["weights"] == whole["memory"]["weights"]


@pytest.mark.parametrize("kind", sorted(OPTIMIZERS))
def test_every_setting_can_be_that_of_a_group(kind: str) -> None:
    """Torch keeps a setting in the group if it reads it there."""
    optimizer = OPTIMIZER_CLASSES[kind].model_validate({"kind": kind})
    built = build_optimizer(optimizer, [nn.Parameter(torch.ones(2, 2))], torch.device("cpu"))
    assert optimizer.settings().keys() <= built.param_groups[0].keys()


def test_groups_are_those_of_torch(laboratory: TrainingHarness) -> None:
    groups = [{"nodes": ["linear1"], "lr": 0.1, "weight_decay": 0.0}, {"parameters": "bias_and_norm", "momentum": 0.5}]
    layers = [
        {"kind": "Flatten"},
        {"kind": "Linear", "out_features": 16},
        {"kind": "ReLU"},
        {"kind": "Linear", "out_features": 10},
    ]
    sgd = {"kind": "SGD", "lr": 0.01, "momentum": 0.9, "weight_decay": 0.1}
    spec = digits_job(
        layers,
        training={
            "optimizer": sgd,
            "groups": groups,
            "steps": 5,
            "schedule": {"kind": "ExponentialLR", "gamma": 0.5, "interval": "step"},
        },
    )
    prepared = laboratory.prepare(spec)
    network = prepared.network
    first, last = network.get_submodule("linear1"), network.get_submodule("linear2")
    assert isinstance(first, nn.Linear)
    assert isinstance(last, nn.Linear)
    attempt = laboratory.run(spec)
    assert [rate for _, rate in attempt.points("train/lr")] == pytest.approx([0.01 * 0.5**step for step in range(5)])
    theirs = optim.SGD(
        [
            {"params": [last.weight]},
            {"params": [first.weight, first.bias], "lr": 0.1, "weight_decay": 0.0},
            {"params": [last.bias], "momentum": 0.5},
        ],
        lr=0.01,
        momentum=0.9,
        weight_decay=0.1,
        fused=True,
    )
    schedule = optim.lr_scheduler.ExponentialLR(theirs, 0.5)
    rows = rows_of(prepared).train
    for step in range(5):
        batch = torch.cat([indices for indices, _ in rows_of(prepared).sampler.batches(step)])
        inputs = {name: column[batch] for name, column in rows.inputs.items()}
        nn.functional.cross_entropy(network(inputs)["output"], rows.targets["label"][batch]).backward()
        theirs.step()
        theirs.zero_grad()
        schedule.step()
    for name, value in attempt.prepared.network.state_dict().items():
        assert torch.equal(value, network.state_dict()[name])


def test_what_is_frozen_stays_as_it_was(laboratory: TrainingHarness) -> None:
    spec = digits_job(training={"groups": [{"nodes": ["linear1"], "frozen": True}], "steps": 3})
    before = {name: value.clone() for name, value in laboratory.prepare(spec).network.state_dict().items()}
    after = laboratory.run(spec).prepared.network
    same = {name for name, value in after.state_dict().items() if torch.equal(value, before[name])}
    assert same == {"linear1.weight", "linear1.bias"}
    assert {name for name, each in after.named_parameters() if not each.requires_grad} == same
