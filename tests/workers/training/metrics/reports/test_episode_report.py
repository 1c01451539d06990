"""The report of episodes; and a policy that a process with torch and Gymnasium alone plays to the same returns."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from app.spec.data.environments.component_names import COMPONENT_NAMES, ComponentNames
from tests.workers.training.harness import TrainingHarness
from tests.workers.training.sources.environment_jobs import LIMIT, replay_job
from workers.environments.build import EVALUATION_STREAM
from workers.environments.evaluation import EpisodeResults, RecordedEpisode
from workers.environments.simulation import episode_seed
from workers.training.metrics.reports.episode_report import MAX_COMPONENTS, episode_report

PLAY = """
import json, sys
import gymnasium, torch
from model import Policy

policy = Policy()
policy.load_state_dict(torch.load("weights.pth", weights_only=True))
policy.eval()
environment = gymnasium.make("Pendulum-v1")
episodes = []
for seed, steps in zip(json.loads(sys.argv[1]), json.loads(sys.argv[2])):
    observation, _ = environment.reset(seed=seed)
    seen, rewards = [observation.tolist()], []
    for _ in range(steps):
        with torch.no_grad():
            action = policy(torch.as_tensor(observation).unsqueeze(0))[0].numpy()
        observation, reward, *_ = environment.step(action)
        seen.append(observation.tolist())
        rewards.append(float(reward))
    episodes.append({"observations": seen, "rewards": rewards})
assert not [name for name in sys.modules if name.split(".")[0] in ("app", "workers", "graftwerk")]
print(json.dumps(episodes))
"""


def results(observations: Any, actions: Any, length: int | None = None) -> EpisodeResults:
    steps = len(actions)
    recorded = RecordedEpisode(
        torch.as_tensor(observations), torch.as_tensor(actions), torch.linspace(-1, 0, steps).double(), terminated=False
    )
    lengths = (length or steps, 3, 4)
    return EpisodeResults((-12.5, -0.5, 3.0), lengths, (False, True, True), {"q": 0.25, "nan": float("nan")}, recorded)


def test_returns_are_summed_up() -> None:
    names = ComponentNames(("angle", "speed"), ("torque",))
    found = episode_report(7, results([[0.1, 1.0], [1 / 3, 2.0], [0.5, 3.0]], [[0.25], [-0.25]]), names)
    json.dumps(found, allow_nan=False)
    episodes = found.pop("episodes")
    assert found == {"version": 1, "step": 7, "rows": 0, "heads": []}
    returns = np.array([-12.5, -0.5, 3.0])
    assert episodes["return"]["mean"] == pytest.approx(returns.mean())
    assert episodes["return"]["std"] == pytest.approx(returns.std())
    assert (episodes["count"], episodes["terminated"]) == (3, 2)
    assert episodes["means"] == {"q": 0.25, "nan": None}
    recorded = episodes["recorded"]
    assert recorded["observations"] == [[0.1, 1.0], [0.333333, 2.0], [0.5, 3.0]]
    assert recorded["actions"] == [[0.25], [-0.25]]
    assert (recorded["return"], recorded["length"], recorded["terminated"]) == (-12.5, 2, False)
    assert (recorded["observation_names"], recorded["action_names"]) == (["angle", "speed"], ["torque"])
    assert recorded["notes"] == []


def test_discrete_spaces_are_numbers_and_large_ones_are_cut() -> None:
    recorded = episode_report(1, results([3, 4, 5], [1, 0]), ComponentNames())["episodes"]["recorded"]
    assert (recorded["observations"], recorded["actions"]) == ([3, 4, 5], [1, 0])
    wide = results(torch.zeros(3, 10, 10), [1, 0], length=5000)
    recorded = episode_report(1, wide, ComponentNames(tuple(map(str, range(100)))))["episodes"]["recorded"]
    assert [len(each) for each in recorded["observations"]] == [MAX_COMPONENTS] * 3
    assert recorded["observation_names"] == [str(place) for place in range(MAX_COMPONENTS)]
    assert recorded["notes"] == [
        "of its 5,000 steps, the first 2 are kept",
        f"of the 100 numbers of an observation, the first {MAX_COMPONENTS} are kept",
    ]


def test_the_downloaded_policy_plays_to_the_reported_returns(laboratory: TrainingHarness, tmp_path: Path) -> None:
    attempt = laboratory.run(replay_job(seed=5))
    saved = attempt.context.saved[-1]
    for file in saved.files:
        (tmp_path / file.name).write_bytes(b"".join(laboratory.store.read(file.path)))
    episodes = json.loads((tmp_path / "report.json").read_text())["episodes"]
    assert episodes["return"]["mean"] == pytest.approx(saved.values["val/return"])
    assert episodes["recorded"]["observation_names"] == list(COMPONENT_NAMES["Pendulum-v1"].observation or ())
    seeds = [episode_seed(5, EVALUATION_STREAM, number) for number in range(3)]
    (tmp_path / "play.py").write_text(PLAY)
    command = [sys.executable, "play.py", json.dumps(seeds), json.dumps([LIMIT] * 3)]
    played = json.loads(subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, text=True).stdout)
    assert [sum(each["rewards"]) for each in played] == pytest.approx(episodes["returns"], rel=1e-4)
    np.testing.assert_allclose(played[0]["observations"], episodes["recorded"]["observations"], rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(played[0]["rewards"], episodes["recorded"]["rewards"], rtol=1e-3, atol=1e-4)
