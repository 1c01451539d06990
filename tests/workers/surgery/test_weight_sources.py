"""Weights that are another node's, or computed from others: edits keep them, or say why they cannot."""

from typing import Any

import pytest

from app.errors import InvalidInput
from app.spec.data.columns import Column, DataSchema
from tests.workers.surgery.edits import apply_changes, build_job, edit, image_job

SCHEMA = DataSchema(
    columns=(
        Column(name="word", shape=(), dtype="int64", classes=9),
        Column(name="next", shape=(), dtype="int64", classes=9),
    ),
    rows={"train": 8},
    inputs=("word",),
    target="next",
)
HEAD = {"kind": "Linear", "id": "head", "out_features": 9, "tie": {"weight": "words.weight"}}
LAYERS: list[dict[str, Any]] = [
    {"kind": "Embedding", "id": "words", "num_embeddings": 9, "embedding_dim": 6},
    {"kind": "Linear", "id": "norm", "out_features": 6, "parametrization": "spectral_norm"},
    {"kind": "Linear", "id": "free", "out_features": 6},
    {"kind": "Linear", "id": "between", "out_features": 6},
    HEAD,
]
JOB = image_job(LAYERS)


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "insert", "after": "between", "node": {"kind": "ReLU", "id": "relu"}, "init": "default"},
        {"op": "insert", "after": "free", "node": {"kind": "Linear", "out_features": 6, "id": "more"}},
        {
            "op": "insert",
            "after": "free",
            "node": {"kind": "Linear", "out_features": 6, "id": "more", "parametrization": "weight_norm"},
            "init": "default",
        },
        {"op": "freeze", "nodes": ["words"]},
    ],
)
def test_other_edits_keep_the_weights(operation: dict[str, Any]) -> None:
    revision, before = edit(JOB, operation, schema=SCHEMA), build_job(JOB, SCHEMA)
    after = apply_changes(before, revision)
    assert after.get_parameter("head.weight") is after.get_parameter("words.weight")
    state = after.state_dict()
    kept = {name: value for name, value in before.state_dict().items() if name in state}
    assert all(value.equal(state[name]) for name, value in kept.items() if value.shape == state[name].shape)
    assert {"head.weight", "norm.parametrizations.weight.0._u"} <= kept.keys()


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        ({"op": "widen", "node": "words", "to": 8}, "its weights are tied"),
        ({"op": "widen", "node": "norm", "to": 8}, "its weights have a parametrization"),
        ({"op": "widen", "node": "between", "to": 8}, ""),
        ({"op": "remove", "node": "words"}, ""),
        ({"op": "rename", "node": "words", "to": "tokens"}, "a weight of head is tied to words.weight"),
        (
            {"op": "set", "path": "node.free.parametrization", "value": "weight_norm"},
            "cannot be changed while a job runs",
        ),
        ({"op": "set", "path": "node.norm.parametrization", "value": None}, "cannot be changed while a job runs"),
        (
            {"op": "set", "path": "node.free.tie", "value": {"weight": "between.weight"}},
            "cannot be changed while a job runs",
        ),
        ({"op": "replace", "node": "free", "with": LAYERS[1] | {"id": "free"}, "init": "default"}, "of free"),
        (
            {
                "op": "insert",
                "after": "free",
                "node": {"kind": "Linear", "out_features": 6, "id": "more", "tie": {"weight": "free.weight"}},
                "init": "default",
            },
            "weight of more the same as free.weight",
        ),
        (
            {
                "op": "insert",
                "after": "free",
                "node": {"kind": "Linear", "out_features": 6, "id": "more", "parametrization": "weight_norm"},
                "init": "identity",
            },
            "computed from others",
        ),
    ],
)
def test_what_cannot_follow_is_refused(operation: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        edit(JOB, operation, schema=SCHEMA)
    assert all(problem.detail for problem in refused.value.problems)
    assert reason in " ".join(problem.detail for problem in refused.value.problems)
