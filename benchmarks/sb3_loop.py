"""Pendulum by Stable-Baselines3, in a process of an interpreter that has the package `stable_baselines3`.

Run as a program it reads jobs, each a line of JSON (`algorithm`, `steps`, `seed`), trains, writes the seconds of the
training alone and the mean return of some episodes as a line, and waits for the next. It imports nothing of this
repository but the figures in `pendulum_settings`.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pendulum_settings import BATCH, ENVIRONMENT, EPISODES, EXPLORATION_NOISE, GAMMA, LR, START_STEPS, TAU, WIDTHS


class Sb3Process:
    """A running process, that trains on request."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.release = str(self._read()["release"])

    def train(self, algorithm: str, steps: int, seed: int) -> dict[str, float]:
        """Train for some steps; returns `seconds` and `cpu_seconds` of the training, and the `return` of the policy."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"algorithm": algorithm, "steps": steps, "seed": seed}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"the process of Stable-Baselines3 ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextmanager
def run_sb3(python: Path) -> Iterator[Sb3Process]:
    """Run the process."""
    command = [str(python.absolute()), str(Path(__file__).absolute())]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)
    try:
        yield Sb3Process(process)
    finally:
        process.terminate()
        process.wait(30)


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
