"""How much an edit changes a policy: on observations of episodes that it plays, beside Gymnasium and plain torch."""

from pathlib import Path
from typing import Any

import gymnasium
import pytest
import torch
from pydantic import TypeAdapter
from safetensors.torch import load_file
from torch import Tensor

from app.spec.data.columns import DataSchema
from app.spec.edits.operations import Operation
from tests.workers.prediction.checkpoints import write_policy
from tests.workers.prediction.test_actions import CARTPOLE, PENDULUM
from workers.environments.simulation import episode_seed
from workers.prediction.evaluation import LabelledDataset
from workers.prediction.function_difference import ROWS, EditScript, measure_difference
from workers.prediction.network import NetworkSource

OPERATIONS: TypeAdapter[list[Operation]] = TypeAdapter(list[Operation])
DATA = {"kind": "environment", "name": "Pendulum-v1", "experience": {"kind": "replay"}, "report": ["q"]}
REPORTED = PENDULUM | {"data": DATA}


def _difference(source: NetworkSource, *operations: dict[str, Any]) -> dict[str, Any]:
    stored = DataSchema.model_validate(source.schema)
    dataset = LabelledDataset({"kind": "environment"}, stored, None, Path(), None)
    script = EditScript((), OPERATIONS.validate_python(operations), 1)
    return measure_difference(source, dataset, script, torch.device("cpu"))


def _torque(weights: dict[str, Tensor], observation: Tensor, scalar: float) -> Tensor:
    hidden = torch.relu(observation @ weights["actor.linear1.weight"].T + weights["actor.linear1.bias"])
    return torch.tanh(hidden @ weights["actor.linear2.weight"].T + weights["actor.linear2.bias"]) * scalar


def test_the_outputs_are_compared_where_the_policy_goes(tmp_path: Path) -> None:
    source = write_policy(tmp_path, REPORTED)[0]
    found = _difference(source, {"op": "replace", "node": "torque", "with": {"kind": "mul", "scalar": 1.5}})
    weights = load_file(source.weights)
    environment = gymnasium.make("Pendulum-v1")
    observation, _ = environment.reset(seed=episode_seed(0, 1, 0))
    torques = []
    for _ in range(ROWS):
        torques.append(_torque(weights, torch.from_numpy(observation)[None], 2.0))
        observation, *_ = environment.step(torques[-1][0].numpy())
    largest = float(torch.cat(torques).abs().max())
    assert found["rows"] == ROWS
    assert found["max"]["action"] == pytest.approx(largest / 4, rel=1e-5)
    assert found["relative"]["action"] == pytest.approx(0.25, rel=1e-5)
    assert set(found["max"]) == {"action", "q"}  # no losses, which read rewards too
    assert found["left_out"] == []


def test_a_wider_actor_acts_as_before(tmp_path: Path) -> None:
    found = _difference(write_policy(tmp_path, REPORTED)[0], {"op": "widen", "node": "actor.linear1", "to": 16})
    assert max(found["relative"].values()) < 1e-5


def test_class_numbers_are_compared_too(tmp_path: Path) -> None:
    source = write_policy(tmp_path, CARTPOLE)[0]
    assert _difference(source, {"op": "set", "path": "training.batch_size", "value": 8})["max"] == {"action": 0.0}
    other = {"kind": "argmin", "dim": 1}
    assert _difference(source, {"op": "replace", "node": "best", "with": other})["max"] == {"action": 1.0}
