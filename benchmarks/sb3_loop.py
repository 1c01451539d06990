"""Pendulum by Stable-Baselines3, in a process of an interpreter that has the package `stable_baselines3`.

Run as a program it reads jobs, each a line of JSON (`algorithm`, `steps`, `seed`), trains, writes the seconds of the
training alone and the mean return of some episodes as a line, and waits for the next. It imports nothing of this
repository but the figures in `pendulum_settings`, and `peer_process`.
"""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from peer_process import PeerProcess, run_peer
from pendulum_settings import BATCH, ENVIRONMENT, EPISODES, EXPLORATION_NOISE, GAMMA, LR, START_STEPS, TAU, WIDTHS


@contextmanager
def run_sb3(python: Path) -> Iterator[PeerProcess]:
    """Run the process; it is asked for an `algorithm`, `steps` and a `seed`.

    It answers with `seconds` and `cpu_seconds` of the training, and the `return` of the policy.
    """
    with run_peer("Stable-Baselines3", python, __file__) as running:
        yield running


def serve_trainings() -> None:
    """Answer every line with what its training took and gave."""
    import gymnasium
    import numpy as np
    import stable_baselines3 as released
    import torch
    from stable_baselines3.common.evaluation import evaluate_policy
    from stable_baselines3.common.noise import NormalActionNoise

    torch.set_num_threads(1)
    print(json.dumps({"release": released.__version__}), flush=True)
    for line in sys.stdin:
        job = json.loads(line)
        is_td3 = job["algorithm"] == "td3"
        environment = gymnasium.make(ENVIRONMENT)
        high = environment.action_space.high
        model = (released.TD3 if is_td3 else released.SAC)(
            "MlpPolicy",
            environment,
            learning_rate=LR,
            buffer_size=job["steps"],
            learning_starts=START_STEPS,
            batch_size=BATCH,
            tau=TAU,
            gamma=GAMMA,
            train_freq=1,
            gradient_steps=1,
            policy_kwargs={"net_arch": list(WIDTHS)},
            seed=job["seed"],
            device="cpu",
            # Its noise is in units of actions that it has scaled to [-1, 1], as ours is.
            action_noise=NormalActionNoise(np.zeros_like(high), np.full_like(high, EXPLORATION_NOISE))
            if is_td3
            else None,
        )
        began, busy = time.perf_counter(), time.process_time()
        model.learn(job["steps"])
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
        mean, _ = evaluate_policy(model, gymnasium.make(ENVIRONMENT), EPISODES, warn=False)
        print(json.dumps({"seconds": seconds, "cpu_seconds": busy, "return": mean}), flush=True)


if __name__ == "__main__":
    serve_trainings()
