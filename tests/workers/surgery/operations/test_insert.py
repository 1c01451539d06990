from typing import Any

import pytest

from app.spec.network.nodes import NODE_KINDS
from tests.full import FULL
from tests.workers.network.kinds.catalog_cases import CASES
from tests.workers.network.networks import Columns, make_examples, schema
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

TOLERANCE = 1e-5
CONV = {"kind": "Conv2d", "out_channels": 4, "kernel_size": 3, "padding": 1}
EXAMPLES = make_examples({"image": (2, 6, 6)})
# A residual network: the stem is read twice, and the sum by a block that is used twice.
GRAPH: dict[str, Any] = {
    "inputs": ["image"],
    "nodes": [
        {"id": "stem", "inputs": ["image"], **CONV},
        {"id": "branch", "inputs": ["stem"], **CONV},
        {"id": "sum", "kind": "add", "inputs": ["stem", "branch"]},
        {"id": "first", "kind": "block", "name": "Part", "inputs": ["sum"]},
        {"id": "second", "kind": "block", "name": "Part", "inputs": ["first"]},
        {"id": "flat", "kind": "Flatten", "inputs": ["second"]},
        {"id": "head", "kind": "Linear", "inputs": ["flat"], "out_features": 3},
    ],
    "outputs": {"logits": "head", "features": "sum"},
    "blocks": {"Part": {"layers": [CONV, "ReLU"]}},
}
IDENTITY = {"id": "extra", **CONV}


def insert(node: Any = IDENTITY, init: str = "identity", **place: Any) -> dict[str, Any]:
    return {"op": "insert", "node": node, "init": init, **place}


def readers(revision: Any, name: str) -> list[str]:
    nodes = revision.document["model"]["nodes"]
    return [node["id"] for node in nodes if name in node["inputs"]]


@pytest.mark.parametrize(
    "place",
    [
        {"after": "stem"},
        {"before": "branch"},
        {"between": ["stem", "sum"]},
        {"between": ["image", "stem"]},
        {"after": "image"},
        {"after": "sum"},
        {"after": "first"},
        {"after": "first.conv2d1"},
        {"before": "second.relu1"},
        {"between": ["first.conv2d1", "first.relu1"]},
        {"after": "second.relu1"},
    ],
)
def test_an_identity_changes_nothing_at_any_place_of_a_graph(place: dict[str, Any]) -> None:
    job = image_job(GRAPH)
    node = IDENTITY if "image" not in str(place) else {**IDENTITY, "out_channels": 2}
    old = build_job(job, IMAGES)
    new = apply_changes(old, edit(job, insert(node, **place)))
    assert len(new.state_dict()) > len(old.state_dict())
    assert largest_difference(old, new, EXAMPLES) <= TOLERANCE


@pytest.mark.parametrize("place", [{"after": "conv2d1"}, {"before": "linear1"}, {"between": ["relu1", "conv2d2"]}])
def test_an_identity_changes_nothing_at_any_place_of_a_chain(place: dict[str, Any]) -> None:
    job = image_job(CHAIN)
    node: Any = {"kind": "Linear", "out_features": 144} if "linear1" in str(place) else CONV
    old = build_job(job, IMAGES)
    new = apply_changes(old, edit(job, insert(node, **place)))
    assert len(new.state_dict()) == len(old.state_dict()) + 2
    assert largest_difference(old, new, EXAMPLES) <= TOLERANCE


def test_after_means_everything_that_reads_it() -> None:
    revision = edit(image_job(GRAPH), insert(after="sum"))
    assert revision.document["model"]["outputs"] == {"logits": "head", "features": "extra"}
    assert readers(revision, "sum") == ["extra"]
    assert readers(revision, "extra") == ["first"]


def test_between_means_one_edge() -> None:
    revision = edit(image_job(GRAPH), insert(between=["stem", "sum"]))
    assert readers(revision, "stem") == ["branch", "extra"]
    assert readers(revision, "extra") == ["sum"]


def test_two_inserts_make_a_branch_that_starts_at_zero() -> None:
    job = image_job(GRAPH)
    branch = insert({"id": "other", **CONV}, "zero", after="sum")
    total = insert({"id": "total", "kind": "add", "inputs": ["sum", "other"]}, "default", after="other")
    old = build_job(job, IMAGES)
    new = apply_changes(old, edit(job, branch, total))
    assert largest_difference(old, new, EXAMPLES) == 0.0


def test_a_block_changes_everywhere_at_once() -> None:
    (change,) = edit(image_job(GRAPH), insert(after="second.conv2d1")).changes
    fresh = {name for name, source in change.tensors.items() if source.name is None}
    assert fresh == {f"{use}.extra.{tensor}" for use in ("first", "second") for tensor in ("weight", "bias")}


RESIDUAL = {
    "inputs": ["x"],
    "nodes": [
        {"id": "conv1", "inputs": ["x"], **CONV},
        {"id": "relu1", "kind": "ReLU", "inputs": ["conv1"]},
        {"id": "conv2", "inputs": ["relu1"], **CONV},
        {"id": "norm", "kind": "BatchNorm2d", "inputs": ["conv2"]},
        {"id": "sum", "kind": "add", "inputs": ["x", "norm"]},
    ],
    "outputs": {"y": "sum"},
}
RECTIFIED = {
    **RESIDUAL,
    "nodes": [*RESIDUAL["nodes"], {"id": "relu2", "kind": "ReLU", "inputs": ["sum"]}],
    "outputs": {"y": "relu2"},
}


@pytest.mark.parametrize(
    ("block", "place"), [(RESIDUAL, "sum"), (RECTIFIED, "second"), ({"layers": [CONV, "BatchNorm2d"]}, "sum")]
)
def test_a_block_can_be_an_identity(block: dict[str, Any], place: str) -> None:
    graph = {**GRAPH, "blocks": {**GRAPH["blocks"], "New": block}}
    node = {"id": "extra", "kind": "block", "name": "New"}
    old = build_job(image_job(graph), IMAGES)
    revision = edit(image_job(graph), insert(node, after=place))
    new = apply_changes(old, revision)
    assert largest_difference(old, new, EXAMPLES) <= TOLERANCE
    if block is not RESIDUAL:
        return
    assert new.get_parameter("extra.conv1.weight").any(), "the branch learns: its other layers are as torch draws them"


def test_a_block_that_cannot_be_an_identity_is_refused() -> None:
    graph = {**GRAPH, "blocks": {**GRAPH["blocks"], "New": RECTIFIED}}
    (problem,) = problems_of(image_job(graph), insert({"kind": "block", "name": "New"}, after="stem"))
    assert (problem.pointer, problem.code) == ("/operations/0/init", "not_identity")


LOOPS: dict[str, Any] = {
    "inputs": ["x"],
    "nodes": [
        {"id": "repeat", "kind": "Repeat", "times": 2, "body": "Cell", "inputs": ["x"]},
        {"id": "apart", "kind": "Repeat", "times": 2, "share": False, "body": "Cell", "inputs": ["repeat"]},
        {"id": "gate", "kind": "gt", "inputs": ["x"], "scalar": 0.5},
        {"id": "chance", "kind": "any", "inputs": ["gate"], "dim": 1},
        {
            "id": "route",
            "kind": "Route",
            "predicate": "chance",
            "then": {"layers": [{"kind": "Linear", "out_features": 4}]},
            "else": {"layers": [{"kind": "Linear", "out_features": 4}]},
            "inputs": ["apart"],
        },
    ],
    "outputs": {"y": "route"},
    "blocks": {"Cell": {"layers": [{"kind": "Linear", "out_features": 4}, "Tanh"]}},
}


@pytest.mark.parametrize(
    ("path", "fresh"),
    [
        ("repeat.body.linear1", ("repeat.body.extra", "apart.0.extra", "apart.1.extra")),
        ("apart.body.linear1", ("repeat.body.extra", "apart.0.extra", "apart.1.extra")),
        ("apart.1.tanh1", ("repeat.body.extra", "apart.0.extra", "apart.1.extra")),
        ("route.then.linear1", ("route.then.extra",)),
        ("route.else.linear1", ("route.else.extra",)),
        ("repeat", ("extra",)),
    ],
)
def test_bodies_of_control_flow(path: str, fresh: tuple[str, ...]) -> None:
    job, columns = network_job(LOOPS), {"x": (4,)}
    old = build_job(job, schema(columns))
    node = {"id": "extra", "kind": "Linear", "out_features": 4}
    revision = edit(job, insert(node, after=path), schema=schema(columns))
    names = {name for name, source in revision.changes[0].tensors.items() if source.name is None}
    assert names == {f"{prefix}.{tensor}" for prefix in fresh for tensor in ("weight", "bias")}
    assert largest_difference(old, apply_changes(old, revision), make_examples(columns)) <= TOLERANCE


@pytest.mark.parametrize(("kind", "settings", "columns"), CASES if FULL else CASES[::4])
def test_every_kind(kind: str, settings: dict[str, Any], columns: Columns) -> None:
    """A node of any kind is inserted, and everything else keeps its weights."""
    names = tuple(columns) or ("x",)
    columns = columns or {"x": (4,)}
    nodes: list[dict[str, Any]] = [
        {"id": "kept", "kind": "Parameter", "shape": [3]},
        {"id": "front", "kind": "Identity", "inputs": [names[0]]},
    ]
    job = network_job({"inputs": list(names), "nodes": nodes, "outputs": {"y": "front", "z": "kept"}})
    by_name = [settings.get(field) for field in NODE_KINDS[kind].references]
    others = [name for name in names[1:] if name not in by_name]
    inputs = {"inputs": ["front", *others]} if NODE_KINDS[kind].inputs != (0, 0) else {}
    node = {"id": "node", "kind": kind, **settings, **inputs}
    revision = edit(job, insert(node, "default", after="front"), schema=schema(columns))
    old = build_job(job, schema(columns))
    new = apply_changes(old, revision)
    assert new.get_parameter("kept").equal(old.get_parameter("kept"))
    assert revision.document["model"]["outputs"]["y"] == ("node" if inputs else "front")


def test_values_with_names() -> None:
    columns = {"x": (4,)}
    job = network_job(
        {
            "inputs": ["x"],
            "nodes": [
                {"id": "best", "kind": "topk", "k": 2, "inputs": ["x"]},
                {"id": "one", "kind": "neg", "inputs": ["best.values"]},
                {"id": "two", "kind": "neg", "inputs": ["best"]},
                {"id": "places", "kind": "neg", "inputs": ["best.indices"]},
            ],
            "outputs": {"a": "one", "b": "two", "c": "places"},
        }
    )
    after = edit(job, insert("Tanh", "default", after="best"), schema=schema(columns))
    assert readers(after, "tanh1") == ["one", "two"]
    second = edit(job, insert("abs", "default", after="best.indices"), schema=schema(columns))
    assert readers(second, "abs1") == ["places"]


MISTAKES: list[tuple[dict[str, Any], str, str, str]] = [
    (insert(after="stam"), "/operations/0/after", "unknown_node", 'did you mean "stem"?'),
    (insert(after="conv2d1"), "/operations/0/after", "unknown_node", "one of: first.conv2d1, second.conv2d1"),
    (insert(after="first.conv2d"), "/operations/0/after", "unknown_node", '"first.conv2d1"'),
    (insert(before="sum"), "/operations/0/before", "ambiguous", 'use "between": ["stem", "sum"]'),
    (insert(between=["stem", "head"]), "/operations/0/between", "no_edge", "stem is read by branch, sum"),
    (insert(between=["stem", "first.relu1"]), "/operations/0/between", "no_edge", "name two nodes"),
    (insert({**IDENTITY, "id": "head"}, after="stem"), "/operations/0/node/id", "duplicate_id", 'use "conv2d1"'),
    (insert({**IDENTITY, "id": "train"}, after="stem"), "/operations/0/node/id", "reserved_id", "use"),
    (
        insert({**IDENTITY, "inputs": ["image"]}, after="stem"),
        "/operations/0/node/inputs",
        "not_identity",
        'name "stem" first',
    ),
    (
        insert({"kind": "add", "inputs": ["stem", "hed"]}, "default", after="stem"),
        "/operations/0/node/inputs/1",
        "unknown_node",
        'did you mean "head"?',
    ),
    (
        insert({"kind": "add", "inputs": ["stem", "head"]}, "default", after="stem"),
        "/operations/0/node",
        "unread",
        "where its output is read",
    ),
]


@pytest.mark.parametrize(("operation", "pointer", "code", "hint"), MISTAKES)
def test_mistakes(operation: dict[str, Any], pointer: str, code: str, hint: str) -> None:
    (problem,) = problems_of(image_job(GRAPH), operation)
    assert (problem.pointer, problem.code) == (pointer, code)
    assert hint in problem.hint


def test_a_chain_says_what_reads_a_layer() -> None:
    (problem,) = problems_of(image_job(CHAIN), insert(between=["conv2d1", "flatten1"]))
    assert (problem.pointer, problem.hint) == ("/operations/0/between", "conv2d1 is read by relu1")


@pytest.mark.parametrize(
    ("node", "place"),
    [
        ({"kind": "add", "inputs": ["conv2d1", "relu1"]}, "/inputs/0"),
        ("add", ""),
        ({**CONV, "inputs": ["relu1"]}, "/inputs/0"),
    ],
)
def test_a_chain_has_no_branches(node: Any, place: str) -> None:
    problems = problems_of(image_job(CHAIN), insert(node, "default", after="relu1"))
    assert problems[0].pointer == f"/operations/0/node{place}"
    assert "deepen" in problems[0].hint or '"scalar"' in problems[0].hint
