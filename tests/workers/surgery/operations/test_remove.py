from typing import Any

import pytest
import torch

from tests.workers.network.networks import make_examples
from tests.workers.surgery.edits import (
    CHAIN,
    IMAGES,
    apply_changes,
    build_job,
    edit,
    image_job,
    largest_difference,
    problems_of,
)
from tests.workers.surgery.operations.test_insert import CONV, GRAPH, insert

EXAMPLES = make_examples({"image": (2, 6, 6)})


def remove(node: str) -> dict[str, Any]:
    return {"op": "remove", "node": node}


def test_removing_what_was_inserted_gives_the_same_document_and_weights() -> None:
    job = image_job(GRAPH)
    old = build_job(job, IMAGES)
    one = edit(job, insert(after="sum"))
    two = edit(one.document, remove("extra"))
    assert two.document["model"] == edit(job, {"op": "set", "path": "training.epochs", "value": 2}).document["model"]
    new = apply_changes(apply_changes(old, one), two)
    assert new.state_dict().keys() == old.state_dict().keys()
    assert all(new.state_dict()[name].equal(value) for name, value in old.state_dict().items())


def test_a_chain_closes_and_keeps_its_names() -> None:
    revision = edit(image_job(CHAIN), remove("conv2d1"), {"op": "reinit", "node": "conv2d2"})
    layers = revision.document["model"]["layers"]
    assert [layer.get("id", layer["kind"]) for layer in layers] == ["ReLU", "conv2d2", "Flatten", "Linear"]
    sources = {name: source.name for name, source in revision.changes[0].tensors.items()}
    assert sources == {
        "conv2d2.weight": None,
        "conv2d2.bias": None,
        "linear1.weight": "linear1.weight",
        "linear1.bias": "linear1.bias",
    }


def test_a_dropout_is_removed_from_a_block_everywhere() -> None:
    graph = {**GRAPH, "blocks": {"Part": {"layers": [CONV, "Dropout", "ReLU"]}}}
    old = build_job(image_job(graph), IMAGES)
    revision = edit(image_job(graph), remove("second.dropout1"))
    assert [layer["kind"] for layer in revision.document["model"]["blocks"]["Part"]["layers"]] == ["Conv2d", "ReLU"]
    assert largest_difference(old, apply_changes(old, revision), EXAMPLES) == 0.0


def test_a_branch_is_removed_by_replacing_the_sum() -> None:
    job = image_job(GRAPH)
    identity = {"op": "replace", "node": "sum", "with": {"kind": "Identity", "inputs": ["stem"]}}
    revision = edit(job, identity, remove("branch"))
    new = apply_changes(build_job(job, IMAGES), revision)
    with torch.no_grad():
        assert new(EXAMPLES)["features"].equal(new.get_submodule("stem")(EXAMPLES["image"]))


MISTAKES = [
    ("head", "is_output", '{"op": "replace", "node": "head", "with": {"kind": "Identity"}}'),
    ("sum", "is_output", "replace"),
    ("hed", "unknown_node", 'did you mean "head"?'),
]


@pytest.mark.parametrize(("node", "code", "hint"), MISTAKES)
def test_mistakes(node: str, code: str, hint: str) -> None:
    (problem,) = problems_of(image_job(GRAPH), remove(node))
    assert (problem.pointer, problem.code) == ("/operations/0/node", code)
    assert hint in problem.hint


def test_the_last_layer_may_go_where_its_output_keeps_the_shape() -> None:
    assert edit(image_job([*CHAIN, "Softmax"]), remove("softmax1")).document["model"] == image_job(CHAIN)["model"] | {
        "layers": [{"kind": layer} if isinstance(layer, str) else layer for layer in CHAIN]
    }
    (problem,) = problems_of(image_job(CHAIN), remove("linear1"))
    assert (problem.pointer, problem.code) == ("/operations/0/node", "is_output")


def test_an_output_by_default_stays_one() -> None:
    nodes = [
        {"id": "stem", "inputs": ["image"], **CONV},
        {"id": "other", "kind": "ReLU", "inputs": ["stem"]},
        {"id": "last", "kind": "Tanh", "inputs": ["stem"]},
    ]
    job = image_job({"inputs": ["image"], "nodes": nodes})
    assert edit(job, remove("last")).document["model"]["outputs"] == {"output": "stem"}


def test_a_sum_has_no_one_input() -> None:
    graph = {**GRAPH, "outputs": {"logits": "head"}}
    (problem,) = problems_of(image_job(graph), remove("sum"))
    assert (problem.pointer, problem.code) == ("/operations/0/node", "ambiguous")
    assert '"with": {"kind": "Identity", "inputs": ["stem"]}' in problem.hint


def test_a_node_that_an_earlier_operation_removed_is_unknown() -> None:
    (problem,) = problems_of(image_job(GRAPH), remove("branch"), insert(after="branch"))
    assert (problem.pointer, problem.code) == ("/operations/1/after", "unknown_node")


def test_weights_that_would_not_fit_any_more() -> None:
    layers = [*CHAIN[:2], {"kind": "MaxPool2d", "kernel_size": 2}, *CHAIN[2:]]
    (problem,) = problems_of(image_job(layers), remove("maxpool2d1"))
    assert (problem.pointer, problem.code) == ("/operations/0", "weights_do_not_fit")
    assert problem.hint == 'add {"op": "reinit", "node": "linear1"} to draw its weights anew'
    assert problems_of(image_job(layers), remove("maxpool2d1"), {"op": "reinit", "node": "linear1"}) == []
