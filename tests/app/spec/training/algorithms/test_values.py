"""DQN against losses written by hand."""

from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.app.spec.training.algorithms.written import (
    CLASSES,
    ROWS,
    TOLERANCE,
    WrittenNetwork,
    algorithm_job,
    assert_gradients_of,
    mlp,
    names_of,
)

MODEL = {"critic": mlp(3)}
LOSSES: dict[str, Any] = {"SmoothL1Loss": functional.smooth_l1_loss, "MSELoss": functional.mse_loss}


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_critic_learns_the_value_of_the_best_action(double: bool, loss: str) -> None:
    written = WrittenNetwork(algorithm_job("dqn", MODEL, CLASSES, gamma=0.9, double=double, loss=loss))
    batch, critic, target_critic = written.batch, written.body("critic"), written.body("target_critic")
    assert batch["action"].shape == (ROWS,)
    total, gradients = written.update_gradients(0)
    with torch.no_grad():
        values = target_critic(batch["next_observation"])
        best = critic(batch["next_observation"]).argmax(1) if double else values.argmax(1)
        assert not double or not best.equal(values.argmax(1)), "the two would be the same"
        later = values[torch.arange(ROWS), best]
        target = batch["reward"][:, 0] + 0.9 * (1 - batch["terminated"][:, 0]) * later
    by_hand = LOSSES[loss](critic(batch["observation"])[torch.arange(ROWS), batch["action"]], target)
    by_hand.backward()
    torch.testing.assert_close(total, by_hand, **TOLERANCE)
    assert names_of(gradients) == {"critic"}
    assert_gradients_of(gradients, "critic", critic)


def test_what_is_done_and_reported() -> None:
    written = WrittenNetwork(algorithm_job("dqn", MODEL, CLASSES))
    values = written.body("critic")(written.batch["observation"])
    expected = {"action": values.argmax(1), "q": values.amax(1, keepdim=True)}
    torch.testing.assert_close(written.outputs("action", "q"), expected, **TOLERANCE)


def test_targets_are_copied_and_epsilon_falls() -> None:
    job = WrittenNetwork(algorithm_job("dqn", MODEL, CLASSES, target_every=7, epsilon_end=0.1)).job
    [target] = job.training.target_networks
    assert (target.node, target.source, target.tau, target.every) == ("target_critic", "critic", 1.0, 7)
    exploration = job.data.exploration
    assert exploration is not None
    assert exploration.kind == "epsilon_greedy"
    assert exploration.settings() == {"start": 1.0, "end": 0.1, "steps": 100}, "a tenth of the run"
