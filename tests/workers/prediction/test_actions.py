"""Policies predict actions of observations alone, as the class `Policy` of their own `model.py` does."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from app.errors import InvalidInput
from app.spec.data.environments.environment import EnvironmentData
from app.spec.job import parse_job
from app.spec.prediction import PredictionOptions
from tests.workers.prediction.checkpoints import write_policy
from tests.workers.prediction.test_forward import import_model, predict
from workers.network.analysis.policy import policy_blueprint
from workers.network.codegen.source import write_source
from workers.prediction.network import TrainedNetwork, load_network
from workers.prediction.responses import render_csv
from workers.prediction.selection import OutputSelection

CPU = torch.device("cpu")
LABELS = PredictionOptions()
OBSERVATIONS = [[0.6, 0.8, -1.0], [1.0, 0.0, 3.0]]


def block(name: str, kind: str, *inputs: str, **fields: str) -> dict[str, Any]:
    return {"id": name, "kind": "block", "name": kind, "inputs": list(inputs)} | fields


CRITIC = {
    "inputs": ["state", "action"],
    "nodes": [
        {"id": "both", "kind": "cat", "inputs": ["state", "action"]},
        {"id": "value", "kind": "Linear", "inputs": ["both"], "out_features": 1},
    ],
    "outputs": {"value": "value"},
}
ACTOR = {"layers": [{"kind": "Linear", "out_features": 4}, "ReLU", {"kind": "Linear", "out_features": 1}, "Tanh"]}
PENDULUM = {
    "model": {
        "inputs": ["observation", "action", "reward"],
        "nodes": [
            block("actor", "Actor", "observation"),
            {"id": "torque", "kind": "mul", "inputs": ["actor"], "scalar": 2.0},
            block("critic", "Critic", "observation", "action", share="critic"),
            block("judged", "Critic", "observation", "torque", share="critic"),
            {"id": "error", "kind": "MSELoss", "inputs": ["critic", "reward"]},
            {"id": "regret", "kind": "neg", "inputs": ["judged"]},
        ],
        "outputs": {
            "critic_loss": "error",
            "action": "torque",
            "q": "judged",
            "critic": "critic",
            "actor_loss": "regret",
        },
        "blocks": {"Actor": ACTOR, "Critic": CRITIC},
    },
    "data": {"kind": "environment", "name": "Pendulum-v1", "experience": {"kind": "replay"}},
    "objective": {"heads": {name: {"loss": "Output", "output": f"{name}_loss"} for name in ("critic", "actor")}},
    "training": {"steps": 10},
}
CARTPOLE: dict[str, Any] = {
    "model": {
        "inputs": ["observation"],
        "nodes": [
            {"id": "scores", "kind": "Linear", "inputs": ["observation"], "out_features": 2},
            {"id": "best", "kind": "argmax", "inputs": ["scores"], "dim": 1},
            {"id": "loss", "kind": "mean", "inputs": ["scores"]},
        ],
        "outputs": {"action": "best", "scores": "scores", "loss": "loss"},
    },
    "data": {"kind": "environment", "name": "CartPole-v1", "experience": {"kind": "replay"}},
    "objective": {"heads": {"critic": {"loss": "Output", "output": "loss"}}},
    "training": {"steps": 10},
}


def load(folder: Path, spec: dict[str, Any], names: tuple[str, ...] | None = None) -> TrainedNetwork:
    """Write a checkpoint with random weights and its model.py, and load it for predictions."""
    source, network = write_policy(folder, spec)
    data = parse_job(spec).data
    assert isinstance(data, EnvironmentData)
    (folder / "model.py").write_text(write_source(network, policy_blueprint(network.blueprint, data)))
    return load_network(source, CPU, OutputSelection(names))


def policy(folder: Path, observations: list[list[float]]) -> Tensor:
    """Return what the downloaded policy does."""
    plain = import_model(folder).Policy()
    plain.load_state_dict(load_file(folder / "weights.safetensors"), strict=True)
    with torch.no_grad():
        actions: Tensor = plain.eval()(torch.tensor(observations))
        return actions


def test_actions_are_those_of_the_downloaded_policy(tmp_path: Path) -> None:
    trained = load(tmp_path, PENDULUM)
    found = predict(trained, [{"observation": row} for row in OBSERVATIONS], LABELS)
    actions = torch.tensor([list(row["action"]["value"]) for row in found])
    assert actions.shape == (2, 1)
    assert actions.equal(policy(tmp_path, OBSERVATIONS))
    weights = load_file(tmp_path / "weights.safetensors")
    hidden = torch.tensor(OBSERVATIONS) @ weights["actor.linear1.weight"].T + weights["actor.linear1.bias"]
    by_hand = 2 * (hidden.relu() @ weights["actor.linear2.weight"].T + weights["actor.linear2.bias"]).tanh()
    torch.testing.assert_close(actions, by_hand)
    assert trained.formatters["action"].describe()["labels"] == ["torque"]


def test_observations_are_those_of_the_environment_itself(tmp_path: Path) -> None:
    wrappers = [
        {"kind": "NormalizeObservation", "mean": [0.5, -0.25, 1.0], "std": [0.7, 1.0, 8.0]},
        {"kind": "ClipObservation", "low": -0.4, "high": 0.4},
    ]
    actions = {}
    for name, extra in {"plain": {}, "wrapped": {"wrappers": wrappers}}.items():
        folder = tmp_path / name
        folder.mkdir()
        trained = load(folder, PENDULUM | {"data": PENDULUM["data"] | extra})
        found = predict(trained, [{"observation": row} for row in OBSERVATIONS], LABELS)
        actions[name] = torch.tensor([list(row["action"]["value"]) for row in found])
        assert actions[name].equal(policy(folder, OBSERVATIONS))
    seen = ((torch.tensor(OBSERVATIONS) - torch.tensor([0.5, -0.25, 1.0])) / torch.tensor([0.7, 1.0, 8.0])).clamp(
        -0.4, 0.4
    )
    assert actions["wrapped"].equal(policy(tmp_path / "plain", seen.tolist()))
    assert not actions["wrapped"].equal(actions["plain"])


def test_outputs_of_experience_are_left_out(tmp_path: Path) -> None:
    trained = load(tmp_path, PENDULUM)
    assert sorted(trained.formatters) == ["action", "q"]
    assert trained.left_out["critic"] == "it depends on action: of experience, while a row is an observation"
    assert trained.left_out["critic_loss"].startswith("it depends on action, reward")
    assert trained.left_out["actor_loss"].startswith("it is a loss")
    assert list(load(tmp_path, PENDULUM, ("actor_loss",)).formatters) == ["actor_loss"]
    with pytest.raises(InvalidInput) as error:
        load(tmp_path, PENDULUM, ("critic",))
    assert error.value.problems[0].pointer == "/select/0"


def test_a_choice_has_a_number_and_a_name(tmp_path: Path) -> None:
    trained = load(tmp_path, CARTPOLE)
    observations = [[0.0, 0.0, 0.2, 0.0], [0.0, 0.0, -9.0, 0.0], [1.0, 2.0, 9.0, -4.0]]
    found = predict(trained, [{"observation": row} for row in observations], LABELS)
    chosen = policy(tmp_path, observations)
    assert chosen.dtype == torch.int64
    assert set(chosen.tolist()) == {0, 1}
    assert [row["action"]["value"] for row in found] == chosen.tolist()
    assert [row["action"]["label"] for row in found] == [("push left", "push right")[each] for each in chosen]
    assert "loss" in trained.left_out


def test_a_table_names_what_is_set(tmp_path: Path) -> None:
    trained = load(tmp_path, PENDULUM)
    found = predict(trained, [{"observation": row} for row in OBSERVATIONS], LABELS)
    header, *rows = render_csv(found, trained.formatters).decode().splitlines()
    assert header == "action.value.torque,q.raw.0"
    assert len(rows) == 2


@pytest.mark.parametrize(
    ("row", "place", "code"),
    [
        ({"observation": [0.0, 0.0]}, "observation", "wrong_shape"),
        ({"observation": [0.0, 0.0, "x"]}, "observation", "wrong_type"),
        ({}, "observation", "missing_column"),
        ({"observation": [0.0, 0.0, 0.0], "reward": 1.0}, "reward", "unknown_column"),
    ],
)
def test_what_is_no_observation_is_refused(row: dict[str, Any], place: str, code: str, tmp_path: Path) -> None:
    trained = load(tmp_path, PENDULUM)
    with pytest.raises(InvalidInput) as error:
        predict(trained, [row])
    assert [(each.pointer, each.code) for each in error.value.problems] == [(f"/rows/0/{place}", code)]
