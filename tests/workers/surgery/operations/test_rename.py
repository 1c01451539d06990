from typing import Any

import pytest

from tests.workers.network.networks import make_examples, schema
from tests.workers.surgery.edits import (
    CHAIN,
    IMAGES,
    apply_changes,
    build_job,
    edit,
    image_job,
    largest_difference,
    network_job,
    problems_of,
)
from tests.workers.surgery.operations.test_insert import GRAPH, LOOPS

EXAMPLES = make_examples({"image": (2, 6, 6)})


def rename(node: str, to: str) -> dict[str, Any]:
    return {"op": "rename", "node": node, "to": to}


@pytest.mark.parametrize("path", ["stem", "sum", "first", "second.conv2d1", "head"])
def test_a_name_changes_nothing_else(path: str) -> None:
    job = image_job(GRAPH)
    old = build_job(job, IMAGES)
    revision = edit(job, rename(path, "other"))
    new = apply_changes(old, revision)
    assert all(source.name for source in revision.changes[0].tensors.values())
    assert largest_difference(old, new, EXAMPLES) == 0.0


def test_names_of_tensors_follow() -> None:
    (change,) = edit(image_job(GRAPH), rename("second.conv2d1", "conv")).changes
    sources = {name: source.name for name, source in change.tensors.items()}
    assert sources["first.conv.weight"] == "first.conv2d1.weight"
    assert sources["second.conv.bias"] == "second.conv2d1.bias"


def test_names_are_swapped_by_way_of_a_third() -> None:
    swap = (rename("stem", "aside"), rename("branch", "stem"), rename("aside", "branch"))
    (change,) = edit(image_job(GRAPH), *swap).changes
    assert change.tensors["stem.weight"].name == "branch.weight"
    assert change.tensors["branch.weight"].name == "stem.weight"


def test_layers_after_it_keep_their_names() -> None:
    revision = edit(image_job(CHAIN), rename("conv2d1", "stem"))
    assert [layer.get("id") for layer in revision.document["model"]["layers"]] == ["stem", None, None, None, None]
    assert revision.changes[0].tensors["stem.weight"].name == "conv2d1.weight"


def test_groups_follow() -> None:
    groups = [{"nodes": ["repeat", "apart.0.linear1"], "lr": 0.1}, {"nodes": ["route.then.linear1.bias"]}]
    job = network_job(LOOPS) | {"training": {"groups": groups}}
    of = schema({"x": (4,)})
    cells = edit(job, rename("repeat.body.linear1", "fc"), schema=of).document["training"]
    assert cells["groups"][0]["nodes"] == ["repeat", "apart.0.fc"]
    loops = edit(job, rename("apart", "cells"), rename("route", "gate2"), schema=of).document["training"]
    assert [group["nodes"] for group in loops["groups"]] == [["repeat", "cells.0.linear1"], ["gate2.then.linear1.bias"]]


def test_planned_edits_follow() -> None:
    operations = [
        {"op": "set", "path": "model.second.conv2d1.padding_mode", "value": "reflect"},
        {"op": "freeze", "nodes": ["stem", "second"]},
        {"op": "insert", "between": ["second.conv2d1", "second.relu1"], "node": {"kind": "Tanh"}},
        {"op": "narrow", "node": "branch", "fraction": 0.5},
        {"op": "set", "path": "training.target_networks.branch.tau", "value": 0.5},
    ]
    job = image_job(GRAPH, training={"edits": [{"at": {"step": 5}, "operations": operations}]})
    document = edit(job, rename("second.conv2d1", "conv"), rename("second", "last"), rename("branch", "side")).document
    (rule,) = document["training"]["edits"]
    assert rule["operations"][0]["path"] == "model.last.conv.padding_mode"
    assert rule["operations"][1]["nodes"] == ["stem", "last"]
    assert rule["operations"][2]["between"] == ["last.conv", "last.relu1"]
    assert rule["operations"][3]["node"] == "side"
    assert rule["operations"][4]["path"] == "training.target_networks.side.tau"


@pytest.mark.parametrize(
    ("to", "code", "hint"),
    [("head", "duplicate_id", 'use "conv2d1"'), ("train", "reserved_id", "use"), ("image", "duplicate_id", "use")],
)
def test_mistakes(to: str, code: str, hint: str) -> None:
    (problem,) = problems_of(image_job(GRAPH), rename("stem", to))
    assert (problem.pointer, problem.code) == ("/operations/0/to", code)
    assert hint in problem.hint
