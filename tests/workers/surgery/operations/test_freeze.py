from typing import Any

import pytest

from app.spec.job import parse_job
from tests.workers.network.networks import schema
from tests.workers.surgery.edits import CHAIN, IMAGES, build_job, edit, image_job, network_job, problems_of
from tests.workers.surgery.operations.test_insert import GRAPH, LOOPS
from workers.surgery.draft import open_draft
from workers.training.optim.parameter_groups import split_parameters

CONVS = ("conv2d1", "conv2d2")


def freeze(*nodes: str) -> dict[str, Any]:
    return {"op": "freeze", "nodes": list(nodes)}


def unfreeze(*nodes: str) -> dict[str, Any]:
    return {"op": "unfreeze", "nodes": list(nodes)}


def split(document: Any, columns: Any = IMAGES) -> tuple[set[str], dict[str, dict[str, Any]]]:
    """Return the parameters that training freezes, and the settings of the others."""
    blueprint = build_job(document, columns).blueprint
    result = split_parameters(blueprint, parse_job(dict(document)).training)
    assert not result.problems
    trained = {each.name: dict(settings) for members, settings in result.trainable for each in members}
    return {each.name for each in result.frozen}, trained


def groups_of(*groups: dict[str, Any]) -> dict[str, Any]:
    return image_job(CHAIN, training={"groups": list(groups)})


RATE = {"lr": 0.5}
# (groups before, operation, frozen afterwards, those with a rate of their own afterwards).
CASES: list[tuple[list[dict[str, Any]], dict[str, Any], set[str], set[str]]] = [
    ([], freeze("conv2d1"), {"conv2d1.weight", "conv2d1.bias"}, set()),
    ([], freeze("conv2d1.weight", "conv2d2.bias"), {"conv2d1.weight", "conv2d2.bias"}, set()),
    ([{"nodes": ["conv2d1"], **RATE}], freeze("conv2d1"), {"conv2d1.weight", "conv2d1.bias"}, set()),
    ([{"nodes": ["conv2d1"], **RATE}], freeze("conv2d1.bias"), {"conv2d1.bias"}, {"conv2d1.weight"}),
    (
        [{"nodes": ["conv2d1", "linear1"], "parameters": "weights", **RATE}],
        freeze("conv2d1"),
        {"conv2d1.weight", "conv2d1.bias"},
        {"linear1.weight"},
    ),
    (
        [{"parameters": "bias_and_norm", **RATE}],
        freeze("conv2d1"),
        {"conv2d1.weight", "conv2d1.bias"},
        {"conv2d2.bias", "linear1.bias"},
    ),
    (
        [{"nodes": ["conv2d1", "conv2d2", "linear1.weight"], **RATE}, {**RATE, "lr": 0.1}],
        freeze("linear1"),
        {"linear1.weight", "linear1.bias"},
        {"conv2d1.weight", "conv2d1.bias", "conv2d2.weight", "conv2d2.bias"},
    ),
    (
        [{"nodes": ["conv2d1"], "frozen": True}],
        freeze("conv2d2"),
        {f"{name}.{tensor}" for name in CONVS for tensor in ("weight", "bias")},
        set(),
    ),
    ([{"nodes": list(CONVS), "frozen": True}], unfreeze("conv2d2"), {"conv2d1.weight", "conv2d1.bias"}, set()),
    ([{"nodes": list(CONVS), "frozen": True}], unfreeze(*CONVS), set(), set()),
    (
        [{"nodes": list(CONVS), "frozen": True}, RATE],
        unfreeze("conv2d2.weight"),
        {"conv2d1.weight", "conv2d1.bias", "conv2d2.bias"},
        {"conv2d2.weight", "linear1.weight", "linear1.bias"},
    ),
    (
        [{"frozen": True}, {"nodes": ["linear1"], **RATE}],
        unfreeze("conv2d2"),
        {"conv2d1.weight", "conv2d1.bias"},
        {"linear1.weight", "linear1.bias"},
    ),
    ([{"frozen": True}, {"nodes": ["linear1"]}], unfreeze(*CONVS), set(), set()),
    ([{"parameters": "bias_and_norm", "frozen": True}], unfreeze("conv2d1"), {"conv2d2.bias", "linear1.bias"}, set()),
]


@pytest.mark.parametrize(("groups", "operation", "frozen", "own_rate"), CASES)
def test_groups(groups: list[dict[str, Any]], operation: dict[str, Any], frozen: set[str], own_rate: set[str]) -> None:
    revision = edit(groups_of(*groups), operation)
    stopped, trained = split(revision.document)
    assert stopped == frozen
    assert {name for name, settings in trained.items() if settings.get("lr") == 0.5} == own_rate
    every = build_job(groups_of(), IMAGES).state_dict()
    assert stopped | trained.keys() == every.keys()


@pytest.mark.parametrize("nodes", [("conv2d1",), ("conv2d1.bias", "conv2d2"), ("linear1", "conv2d1")])
def test_what_is_frozen_and_trained_again_is_as_before(nodes: tuple[str, ...]) -> None:
    job = groups_of()
    assert "groups" not in edit(job, freeze(*nodes), unfreeze(*nodes)).document.get("training", {})


def test_a_node_of_a_block_is_frozen_in_one_use() -> None:
    frozen, _ = split(edit(image_job(GRAPH), freeze("second.conv2d1")).document)
    assert frozen == {"second.conv2d1.weight", "second.conv2d1.bias"}


def test_a_part_of_a_group_that_names_the_block() -> None:
    job = image_job(GRAPH, training={"groups": [{"nodes": ["second", "head"], **RATE}]})
    revision = edit(job, freeze("second.conv2d1.bias"))
    frozen, trained = split(revision.document)
    assert frozen == {"second.conv2d1.bias"}
    own = {name for name, settings in trained.items() if settings}
    assert own == {"second.conv2d1.weight", "head.weight", "head.bias"}


def test_iterations_with_parameters_of_their_own() -> None:
    columns = schema({"x": (4,)})
    every, _ = split(edit(network_job(LOOPS), freeze("apart.body.linear1"), schema=columns).document, columns)
    assert every == {f"apart.{turn}.linear1.{tensor}" for turn in (0, 1) for tensor in ("weight", "bias")}
    one, _ = split(edit(network_job(LOOPS), freeze("apart.1"), schema=columns).document, columns)
    assert one == {"apart.1.linear1.weight", "apart.1.linear1.bias"}


def test_freezing_twice_changes_nothing() -> None:
    once = edit(groups_of(), freeze("conv2d1", "conv2d2")).document
    assert edit(once, freeze("conv2d2.weight")).document == once


def test_a_removed_node_leaves_its_group() -> None:
    job = groups_of({"nodes": ["conv2d2"], "frozen": True}, {"nodes": ["linear1"], **RATE})
    revision = edit(job, {"op": "remove", "node": "conv2d2"})
    assert revision.document["training"]["groups"] == [{"nodes": ["linear1"], **RATE}]
    assert [warning.code for warning in revision.warnings] == ["group_changed"]


def test_a_new_node_in_a_frozen_block_is_frozen_with_a_warning() -> None:
    job = image_job(GRAPH, training={"groups": [{"nodes": ["first"], "frozen": True}]})
    node = {"id": "extra", "kind": "Conv2d", "out_channels": 4, "kernel_size": 1}
    revision = edit(job, {"op": "insert", "after": "first.conv2d1", "node": node})
    (warning,) = revision.warnings
    assert (warning.pointer, warning.code) == ("/operations/0/node", "frozen")
    assert "first.extra" in warning.detail
    assert edit(job, {"op": "insert", "after": "stem", "node": node}).warnings == ()


@pytest.mark.parametrize(
    ("operation", "place", "code"),
    [
        (freeze("conv2d1", "relu1"), "/1", "no_parameters"),
        (freeze("conv2d1", "conv2d9"), "/1", "unknown_node"),
        (freeze("conv2d1", "conv2d2", "linear1"), "", "nothing_to_train"),
        (unfreeze("conv2d1"), "/0", "not_frozen"),
    ],
)
def test_mistakes(operation: dict[str, Any], place: str, code: str) -> None:
    (problem,) = problems_of(groups_of(), operation)
    assert (problem.pointer, problem.code) == (f"/operations/0/nodes{place}", code)
    assert problem.hint


def test_open_draft_copies_the_document() -> None:
    job = groups_of({"nodes": ["conv2d1"], **RATE})
    open_draft(job, IMAGES).document["training"]["groups"].clear()
    assert job["training"]["groups"]
