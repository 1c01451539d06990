"""What the inspector lets pass, the losses can compute."""

from typing import Any

import pytest
import torch

from app.spec.data.columns import Column, DataSchema
from app.spec.job import JobSpec, head_targets, resolve_job_features
from app.spec.training.losses import LOSS_CLASSES, TORCH_LOSSES
from workers.network.blueprint import Blueprint, ResolvedNode
from workers.network.inference.input_checks import SYMBOLIC_BATCH_SIZE
from workers.network.inference.partial_network import InferredNode, PartialNetwork
from workers.training.objective.losses import LOSSES, target_cast
from workers.training.objective.training_loss import build_loss
from workers.training.validation.objective import objective_problems

ROWS = 6
OUTPUTS: list[tuple[int, ...]] = [(), (1,), (2,), (3,), (3, 1), (1, 3), (3, 4), (4, 3), (3, 2, 2)]
TARGETS: list[tuple[tuple[int, ...], str, int | None]] = [
    ((), "int64", 2),
    ((), "int64", 3),
    ((), "int64", None),
    ((), "bool", None),
    ((), "float32", None),
    ((1,), "int64", 2),
    ((1,), "float32", None),
    ((3,), "int32", None),
    ((3,), "float32", None),
    ((4,), "int64", None),
    ((3, 4), "float32", None),
    ((2, 2), "int64", None),
]
SETTINGS: dict[str, list[dict[str, Any]]] = {
    "CrossEntropyLoss": [{}, {"weight": [1.0, 2.0, 3.0]}, {"ignore_index": 1}],
    "NLLLoss": [{}, {"weight": [1.0, 2.0]}],
    "BCEWithLogitsLoss": [{}, {"pos_weight": [1.0]}, {"pos_weight": [1.0, 2.0, 3.0]}],
}


def is_accepted_by_torch(shape: tuple[int, ...], target: Column, loss: dict[str, Any]) -> bool:
    """Whether an output of this shape may meet the target."""
    schema = DataSchema(
        columns=(Column(name="x", shape=(2,), dtype="float32"), target), rows={}, inputs=("x",), target="y"
    )
    x, output = (
        torch.empty(SYMBOLIC_BATCH_SIZE, 2, device="meta"),
        torch.empty(SYMBOLIC_BATCH_SIZE, *shape, device="meta"),
    )
    node = ResolvedNode("end", "Linear", {"out_features": 3}, ("x",), "/nodes/0")
    draft = PartialNetwork(
        Blueprint(("x",), (node,), {"output": "end"}), [InferredNode(node, (x,), output, 1)], {"end": output}
    )
    job = JobSpec.model_validate(
        {
            "model": {"nodes": [{"id": "end", "kind": "Linear", "inputs": ["x"], "out_features": 3}]},
            "data": {"kind": "dataset", "id": "ds_" + "0" * 32},
            "objective": {"loss": loss},
        }
    )
    return not objective_problems(job, head_targets(job, schema, resolve_job_features(job, schema)), draft)


@pytest.mark.parametrize("kind", TORCH_LOSSES)
def test_what_passes_can_be_computed(kind: str) -> None:
    passed = 0
    for loss in SETTINGS.get(kind, [{}]):
        spec: Any = LOSS_CLASSES[kind].model_validate({"kind": kind, **loss})
        objective = build_loss(spec)
        for shape in OUTPUTS:
            for inner, dtype, classes in TARGETS:
                target = Column.model_validate({"name": "y", "shape": inner, "dtype": dtype, "classes": classes})
                if not is_accepted_by_torch(shape, target, {"kind": kind, **loss}):
                    continue
                passed += 1
                output = torch.rand(ROWS, *shape).requires_grad_()
                values = torch.arange(ROWS).remainder(min(classes or 2, 3)).view(-1, *[1] * len(inner))
                examples = values.expand(ROWS, *inner).to(getattr(torch, dtype))
                targets: Any = {"target": target_cast(spec, target)(examples)}
                result = objective.batch_loss({"output": output}, targets, 1)
                assert result.shape == ()
                result.backward()
    assert passed >= 3


@pytest.mark.parametrize("kind", TORCH_LOSSES)
def test_the_plainest_case_passes(kind: str) -> None:
    classes = kind in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss")
    target = Column(name="y", shape=() if classes else (3,), dtype="int64" if classes else "float32")
    assert is_accepted_by_torch((3,), target, {"kind": kind})


@pytest.mark.parametrize("kind", sorted(kind for kind in TORCH_LOSSES if LOSSES[kind].elementwise))
def test_a_column_and_a_vector_are_the_same(kind: str) -> None:
    for shape, inner in (((1,), ()), ((), (1,))):
        assert is_accepted_by_torch(shape, Column(name="y", shape=inner, dtype="float32"), {"kind": kind})
