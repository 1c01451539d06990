"""Pendulum beside plain PyTorch and Stable-Baselines3: ``python benchmarks/reinforcement.py --sb3-python PATH``.

SAC and TD3, 20,000 steps of the environment and as many updates after the first 1,000, the same settings and networks
(`pendulum_settings`), one thread each. In every round each algorithm is trained by all, in turns, with the seed of the
round, so that a ratio compares times taken within minutes of each other:

- loop: the service's own loop, with everything a job has: losses and returns recorded and sent through a pipe to
  another process, commands, and a checkpoint into an artifact store at the end;
- compiled: the same with `"mode": "compiled"`. Compilation is within its time; from the second round on torch finds its
  results in a cache, as it does for a second job of the same networks;
- plain: the algorithm alone, written by hand (`plain_torch_loop`): what PyTorch's own speed allows;
- sb3: `model.learn` of Stable-Baselines3, in an interpreter of an environment of its own, without a log.

None is evaluated within its time. Seconds of the processor are listed beside those of the wall, for on a busy
machine the latter tell of other programs. Returns are the means of 100 episodes afterwards, each by its own evaluation.
"""

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from drained_pipe import drained_pipe
from machine import write_results
from pendulum_settings import BATCH, ENVIRONMENT, EPISODES, EXPLORATION_NOISE, GAMMA, LR, START_STEPS, TAU, WIDTHS
from plain_torch_loop import train_plainly
from sb3_loop import run_sb3
from step_overhead import ConnectionContext

from app.spec.job import named_dataset_schema, parse_job
from app.storage.catalog import open_store
from workers.protocol.assignment import Assignment
from workers.protocol.messages import Ending
from workers.training.assembly import PreparedTraining
from workers.training.loop import train
from workers.training.prepare import prepare
from workers.training.sources.experience import ExperienceSource

ALGORITHMS = ("sac", "td3")
OURS = ("loop", "compiled")
PEERS = ("plain", "sb3")
MAX_TIMES_AS_LONG = 1.2  # as plain PyTorch, as for every other step (`step_overhead`)
TIMES_AS_FAST = 2.0  # as Stable-Baselines3

Trainer = Callable[[str, int, int], Mapping[str, float]]  # algorithm, steps, seed → seconds, cpu_seconds, return


def job(algorithm: str, steps: int, seed: int, mode: str) -> dict[str, Any]:
    """Return the job in its short form. One episode, of a fiftieth of a second, ends its time."""
    hidden = [layer for width in WIDTHS for layer in ({"kind": "Linear", "out_features": width}, "ReLU")]
    outputs = {"sac": 2, "td3": 1}[algorithm]  # mean and log_std, or the action
    own = {"exploration_noise": EXPLORATION_NOISE} if algorithm == "td3" else {}
    return {
        "data": {"kind": "environment", "name": ENVIRONMENT, "episodes": 1},
        "model": {
            "actor": {"layers": [*hidden, {"kind": "Linear", "out_features": outputs}]},
            "critic": {"layers": [*hidden, {"kind": "Linear", "out_features": 1}]},
        },
        "objective": {"kind": algorithm, "gamma": GAMMA, "tau": TAU, "capacity": steps, "start_steps": START_STEPS}
        | own,
        # The first step of the loop makes the random actions and the first update.
        "training": {
            "steps": steps - START_STEPS,
            "batch_size": BATCH,
            "lr": LR,
            "seed": seed,
            "device": "cpu",
            "mode": mode,
            "evaluate": {"every_steps": steps},
        },
    }


@dataclass(frozen=True)
class GraftwerkTrainer:
    """The service's loop, in an attempt like those of a worker."""

    folder: Path
    pipe: Connection
    mode: str = "eager"

    def __call__(self, algorithm: str, steps: int, seed: int) -> dict[str, float]:
        """Prepare an attempt, time its loop alone, and evaluate the policy."""
        document = job(algorithm, steps, seed, self.mode)
        schema = named_dataset_schema(parse_job(document))
        assert schema is not None
        assignment = Assignment(
            job_id="job_bench",
            fence=time.monotonic_ns(),
            spec=document,
            data_schema=schema.model_dump(mode="json"),
            store_url="",
            data_root="",
        )
        with tempfile.TemporaryDirectory(dir=self.folder) as workdir:
            store = open_store(str(self.folder / "store"), {})
            prepared = prepare(assignment, store, ConnectionContext(self.pipe), Path(workdir))
            began, busy = time.perf_counter(), time.process_time()
            outcome = train(prepared)
            seconds, busy = time.perf_counter() - began, time.process_time() - busy
        if outcome.ending is not Ending.SUCCEEDED:
            raise SystemExit(f"the training {outcome.ending}")
        return {"seconds": seconds, "cpu_seconds": busy, "return": mean_return(prepared)}


def mean_return(prepared: PreparedTraining) -> float:
    """Return what the trained policy gains in an episode, as an evaluation of a job measures it."""
    source = prepared.source
    assert isinstance(source, ExperienceSource)
    data = source.data.model_copy(update={"episodes": EPISODES})
    judge = replace(source, parts=replace(source.parts, data=data))
    return judge.evaluate(prepared.state.evaluation_network, lambda: None, lambda: False).values["val/return"]


def measure(
    trainers: Mapping[str, Trainer], rounds: int, steps: int
) -> dict[str, dict[str, list[Mapping[str, float]]]]:
    """Return seconds and returns by algorithm and trainer, one for every round."""
    names = list(trainers)
    runs: dict[str, dict[str, list[Mapping[str, float]]]] = {
        algorithm: {name: [] for name in names} for algorithm in ALGORITHMS
    }
    for turn in range(rounds):
        for algorithm in ALGORITHMS:
            for name in names if turn % 2 == 0 else names[::-1]:
                runs[algorithm][name].append(trainers[name](algorithm, steps, turn))
    return runs


def summarize(runs: Mapping[str, list[Mapping[str, float]]]) -> dict[str, Any]:
    """Return the figures of an algorithm by trainer, and how many times as long as ours each peer takes."""
    figures: dict[str, Any] = {
        name: {
            "seconds": [round(run["seconds"], 2) for run in own],
            "cpu_seconds": [round(run["cpu_seconds"], 2) for run in own],
            "returns": [round(run["return"], 1) for run in own],
            "mean_return": round(fmean(run["return"] for run in own), 1),
        }
        for name, own in runs.items()
    }
    for name in OURS:
        for peer in (each for each in PEERS if each in runs):
            pairs = list(zip(runs[peer], runs[name], strict=True))
            for ratio, times in (("ratio", "seconds"), ("cpu_ratio", "cpu_seconds")):
                middle = median(theirs[times] / ours[times] for theirs, ours in pairs)
                figures[name].setdefault(ratio, {})[peer] = round(middle, 3)
    return figures


def claims_of(what: str, name: str, ratios: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return what is claimed of one of our trainers, of the `ratios` of its peers' times to its own."""
    claims = [
        {
            "what": f"{what}, {name} / plain PyTorch, median",
            "measured": round(1 / ratios["plain"], 3),
            "unit": "times",
            "bound": MAX_TIMES_AS_LONG,
            "at_most": True,
        }
    ]
    if "sb3" in ratios:
        claims.append(
            {
                "what": f"{what}, Stable-Baselines3 / {name}, median",
                "measured": ratios["sb3"],
                "unit": "times",
                "bound": TIMES_AS_FAST,
                "at_most": False,
            }
        )
    return claims


def main() -> None:
    """Measure and write results/reinforcement.json."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="trainings of every algorithm by each")
    parser.add_argument("--steps", type=int, default=20_000, help="steps of the environment in a training")
    parser.add_argument("--sb3-python", type=Path, help="an interpreter that has the package stable_baselines3")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="graftwerk-bench-")))
        pipe = stack.enter_context(drained_pipe())
        trainers: dict[str, Trainer] = {
            "loop": GraftwerkTrainer(folder, pipe),
            "compiled": GraftwerkTrainer(folder, pipe, "compiled"),
            "plain": train_plainly,
        }
        versions = {}
        if options.sb3_python is not None:
            running = stack.enter_context(run_sb3(options.sb3_python))
            trainers["sb3"] = lambda algorithm, steps, seed: running.ask(
                {"algorithm": algorithm, "steps": steps, "seed": seed}
            )
            versions["stable_baselines3"] = running.release
        runs = measure(trainers, options.rounds, options.steps)
    figures = {algorithm: summarize(own) for algorithm, own in runs.items()}
    claims = [
        claim
        for algorithm, own in figures.items()
        for name in OURS
        for claim in claims_of(f"Pendulum by {algorithm.upper()}, {options.steps} steps", name, own[name]["ratio"])
    ]
    write_results("reinforcement", {"steps": options.steps, **figures, **versions}, claims)


if __name__ == "__main__":
    main()
