"""Policies on observations of the environment itself, beside the wrappers that trainings use."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from app.spec.data.environments.environment import EnvironmentData
from tests.workers.network.networks import Columns, Model, build_model, import_source, make_examples
from workers.environments.wrappers import observation_wrappers
from workers.network.analysis.policy import policy_blueprint, with_observation_wrappers
from workers.network.runtime.build import BuiltNetwork

NORMALIZE = {"kind": "NormalizeObservation", "mean": [0.1, -0.3, 1.7], "std": [0.3, 2.0, 8.0]}
SHIFT = {"kind": "NormalizeObservation", "mean": 0.1}
CLIP = {"kind": "ClipObservation", "low": -0.2, "high": 0.7}
STACK = {"kind": "FrameStack", "frames": 2}
WRAPPERS: dict[str, list[dict[str, Any]]] = {
    "normalized": [NORMALIZE],
    "clipped": [CLIP],
    "each after the other": [CLIP, SHIFT, {"kind": "ScaleReward", "factor": 0.1}, NORMALIZE, CLIP],
    "before a stack": [NORMALIZE, CLIP, STACK],
    "after a stack": [STACK, CLIP, NORMALIZE],
}
OUTPUTS = {"action": "policy", "value": "value"}
MODELS: dict[str, Model] = {
    "two readers": {
        "inputs": ["observation", "action"],
        "nodes": [
            {"id": "hidden", "kind": "Linear", "inputs": ["observation"], "out_features": 2},
            {"id": "policy", "kind": "cat", "inputs": ["hidden", "observation"], "dim": -1},
            {"id": "value", "kind": "cat", "inputs": ["observation", "action"], "dim": -1},
        ],
        "outputs": OUTPUTS,
    },
    "names that are taken": {
        "inputs": ["observation", "action"],
        "nodes": [
            {"id": "observation_mean", "kind": "Constant", "value": [1.0, 2.0, 3.0]},
            {"id": "observation_clipped", "kind": "add", "inputs": ["observation", "observation_mean"]},
            {"id": "observation_std", "kind": "Linear", "inputs": ["observation_clipped"], "out_features": 2},
            {"id": "policy", "kind": "cat", "inputs": ["observation_std", "observation_clipped"], "dim": -1},
            {"id": "value", "kind": "tanh", "inputs": ["action"]},
        ],
        "outputs": OUTPUTS,
    },
    "a layer with the name of the input": {
        "layers": [
            {"kind": "Linear", "out_features": 3, "id": "observation"},
            "Tanh",
            {"kind": "Linear", "out_features": 2, "id": "policy"},
        ],
        "outputs": {"action": "policy"},
    },
    "the observation itself": {
        "inputs": ["observation"],
        "nodes": [{"id": "value", "kind": "tanh", "inputs": ["observation"]}],
        "outputs": {"action": "observation", "value": "value"},
    },
}


def environment(wrappers: list[dict[str, Any]]) -> EnvironmentData:
    document = {"kind": "environment", "name": "Pendulum-v1", "experience": {"kind": "replay"}, "wrappers": wrappers}
    return EnvironmentData.model_validate(document)


def wrapped(observation: Tensor, data: EnvironmentData) -> Tensor:
    """Return what a training makes of observations (N, ...); frames are stacked already."""
    for wrapper in observation_wrappers(
        [each for each in data.wrappers if each.kind != "FrameStack"], len(observation)
    ):
        observation = wrapper.begin(range(len(observation)), observation)
    return observation


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("wrappers", WRAPPERS)
def test_a_policy_does_what_the_wrappers_did(wrappers: str, model: str, tmp_path: Path) -> None:
    data = environment(WRAPPERS[wrappers])
    shape = (2, 3) if STACK in WRAPPERS[wrappers] else (3,)
    columns: Columns = {"observation": shape, "action": shape}
    if "action" not in MODELS[model].get("inputs", ()):
        del columns["action"]
    network, values = build_model(MODELS[model], columns).eval(), make_examples(columns, 5)
    expected = network(values | {"observation": wrapped(values["observation"], data)})["action"]
    assert not expected.equal(network(values)["action"]), "the wrappers change nothing"

    whole = BuiltNetwork(with_observation_wrappers(network.blueprint, data.wrappers)).eval()
    whole.load_state_dict(network.state_dict(), strict=True)
    assert whole(values)["action"].equal(expected)

    blueprint = policy_blueprint(network.blueprint, data)
    assert list(blueprint.inputs) == ["observation"]
    policy = import_source(network, tmp_path, seed=9, policy=blueprint)
    policy.load_state_dict(network.state_dict(), strict=True)
    assert policy.eval()(values["observation"]).equal(expected)


def test_without_wrappers_nothing_is_added() -> None:
    network = build_model(MODELS["two readers"], {"observation": (3,), "action": (3,)})
    data = environment([{"kind": "ScaleReward", "factor": 0.5}])
    assert with_observation_wrappers(network.blueprint, data.wrappers) is network.blueprint


def test_numbers_move_with_the_policy(tmp_path: Path) -> None:
    columns: Columns = {"observation": (3,), "action": (3,)}
    network = build_model(MODELS["two readers"], columns)
    policy = import_source(
        network, tmp_path, seed=0, policy=policy_blueprint(network.blueprint, environment([NORMALIZE]))
    )
    assert {each.dtype for each in policy.double().buffers()} == {torch.float64}
    assert policy.state_dict().keys() == network.state_dict().keys()
