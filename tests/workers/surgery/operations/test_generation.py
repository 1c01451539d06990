"""A node that generates goes on generating after an edit, with its settings."""

from typing import Any

import pytest
import torch

from tests.workers.surgery.edits import apply_changes, build_job, edit
from tests.workers.training.metrics.test_generated_texts import reversal_dataset, reversal_job
from workers.network.runtime.free_run import free_run

INNER = {"id": "extra", "kind": "Linear", "out_features": 8}
VALUES = {
    "word": torch.tensor([[2, 3, 4], [5, 4, 0]]),
    "word_length": torch.tensor([3, 2]),
    "turned": torch.tensor([[2], [2]]),
}
SETTINGS = {"max_length": 4, "stop": 3, "exclude": (0, 1, 2)}


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "insert", "after": "write.body.vector", "node": INNER, "init": "identity"},
        {"op": "insert", "after": "vectors", "node": {"id": "extra", "kind": "Dropout", "p": 0.1}},
        {"op": "rename", "node": "write", "to": "decode"},
        {"op": "rename", "node": "write.body.scores", "to": "points"},
        {"op": "freeze", "nodes": ["write"]},
    ],
    ids=lambda operation: f"{operation['op']} {operation.get('after') or operation.get('node') or ''}",
)
def test_edits_keep_what_is_generated(operation: dict[str, Any]) -> None:
    job, schema = reversal_job(), reversal_dataset().schema
    network = build_job(job, schema)
    changed = apply_changes(network, edit(job, operation, schema=schema))
    assert changed.blueprint.generator is not None
    assert changed.blueprint.generator.free_running is not None
    assert changed.blueprint.generator.free_running.settings.max_length == 6
    made, expected = free_run(changed, VALUES, SETTINGS), free_run(network, VALUES, SETTINGS)
    assert made.tokens.tolist() == expected.tokens.tolist()
