from typing import Any

import pytest

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
from tests.workers.surgery.operations.test_insert import CONV, GRAPH

EXAMPLES = make_examples({"image": (2, 6, 6)})


def replace(node: str, new: Any, **more: Any) -> dict[str, Any]:
    return {"op": "replace", "node": node, "with": new, **more}


def test_weights_of_equal_names_and_shapes_are_kept() -> None:
    revision = edit(image_job(CHAIN), replace("conv2d2", {**CONV, "padding_mode": "reflect", "bias": False}))
    sources = {name: source.name for name, source in revision.changes[0].tensors.items()}
    assert sources["conv2d2.weight"] == "conv2d2.weight"
    assert "conv2d2.bias" not in sources
    assert revision.document["model"]["layers"][2].get("id") is None


def test_weights_of_other_shapes_are_drawn() -> None:
    revision = edit(image_job(CHAIN), replace("conv2d2", {**CONV, "kernel_size": 5, "padding": 2}))
    tensors = revision.changes[0].tensors
    assert tensors["conv2d2.weight"].name is None
    assert tensors["conv2d2.bias"].name == "conv2d2.bias"


def test_another_kind_keeps_the_id_that_others_read() -> None:
    job = image_job(GRAPH)
    revision = edit(job, replace("sum", "maximum"))
    nodes = {node["id"]: node for node in revision.document["model"]["nodes"]}
    assert nodes["sum"] == {"id": "sum", "kind": "maximum", "inputs": ["stem", "branch"]}


def test_another_id_is_followed_by_what_reads_it() -> None:
    job = image_job(GRAPH)
    old = build_job(job, IMAGES)
    revision = edit(job, replace("sum", {"id": "total", "kind": "add"}))
    nodes = {node["id"]: node for node in revision.document["model"]["nodes"]}
    assert nodes["first"]["inputs"] == ["total"]
    assert revision.document["model"]["outputs"]["features"] == "total"
    assert largest_difference(old, apply_changes(old, revision), EXAMPLES) == 0.0


def test_several_replacements_need_not_be_valid_one_by_one() -> None:
    layers = [*CHAIN[:3], {"kind": "Flatten"}, {"kind": "Linear", "in_features": 144, "out_features": 3}]
    wide, head = {**CONV, "out_channels": 8}, {"kind": "Linear", "in_features": 288, "out_features": 3}
    assert problems_of(image_job(layers), replace("conv2d2", wide), replace("linear1", head)) == []
    (problem,) = problems_of(image_job(layers), replace("conv2d2", wide))
    assert problem.pointer == "/operations/0"
    assert "/model/layers/4/in_features" in problem.detail


def test_a_block_is_used_in_the_place_of_another() -> None:
    graph = {**GRAPH, "blocks": {**GRAPH["blocks"], "Other": {"layers": [CONV, "GELU"]}}}
    revision = edit(image_job(graph), replace("second", {"kind": "block", "name": "Other"}))
    tensors = revision.changes[0].tensors
    assert tensors["second.conv2d1.weight"].name == "second.conv2d1.weight"


@pytest.mark.parametrize(
    ("new", "pointer", "code"),
    [
        ({**CONV, "in_channels": 7}, "/operations/0/with/in_channels", "shape_mismatch"),
        ({**CONV, "id": "head"}, "/operations/0/with/id", "duplicate_id"),
        ("add", "/operations/0/with/inputs", "arity"),
    ],
)
def test_mistakes(new: Any, pointer: str, code: str) -> None:
    (problem,) = problems_of(image_job(GRAPH), replace("stem", new))
    assert (problem.pointer, problem.code) == (pointer, code)


def reinit(node: str, init: str = "default") -> dict[str, Any]:
    return {"op": "reinit", "node": node, "init": init}


def test_reinit_draws_a_nodes_weights_anew() -> None:
    job = image_job(CHAIN)
    old = build_job(job, IMAGES)
    new = apply_changes(old, edit(job, reinit("conv2d2")))
    changed = {name for name, value in old.state_dict().items() if not value.equal(new.state_dict()[name])}
    assert changed == {"conv2d2.weight", "conv2d2.bias"}


def test_reinit_of_a_use_of_a_block_leaves_the_other_use() -> None:
    revision = edit(image_job(GRAPH), reinit("second"))
    fresh = {name for name, source in revision.changes[0].tensors.items() if source.name is None}
    assert fresh == {"second.conv2d1.weight", "second.conv2d1.bias"}


def test_reinit_of_a_node_in_a_block_is_that_of_all_uses() -> None:
    revision = edit(image_job(GRAPH), reinit("second.conv2d1"))
    fresh = {name for name, source in revision.changes[0].tensors.items() if source.name is None}
    assert fresh == {f"{use}.conv2d1.{tensor}" for use in ("first", "second") for tensor in ("weight", "bias")}


def test_reinit_of_a_node_without_weights_is_refused() -> None:
    (problem,) = problems_of(image_job(CHAIN), reinit("relu1"))
    assert (problem.pointer, problem.code) == ("/operations/0/node", "no_parameters")


def test_reinit_as_identity() -> None:
    job = image_job(CHAIN)
    revision = edit(job, reinit("conv2d2", "identity"))
    assert revision.changes[0].tensors["conv2d2.weight"].fill == "identity"
    (problem,) = problems_of(job, reinit("linear1", "identity"))
    assert (problem.pointer, problem.hint) == ("/operations/0/init", "set out_features to 144")


def test_a_replacement_that_computes_its_input_keeps_no_weights_of_equal_shapes() -> None:
    job = image_job(CHAIN)
    old = build_job(job, IMAGES)
    replaced = apply_changes(old, edit(job, replace("conv2d2", CONV, init="identity")))
    removed = apply_changes(old, edit(job, {"op": "remove", "node": "conv2d2"}))
    assert largest_difference(removed, replaced, EXAMPLES) <= 1e-6
