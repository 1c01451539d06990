"""Returns of the examples of reinforcement learning, over five seeds: ``make accuracy``, or ``ARGS="rl/pendulum-sac"``.

Each seed is a job of its own, trained through the API. What is measured is what a user gets: the best checkpoint, which
is chosen by `val/return`, is downloaded, and its class `Policy` plays 100 other episodes in plain PyTorch, by which
nothing was chosen. The gate is on the mean over the seeds. Beside it stands the last `val/return`, with the weights of
the last step. Finished jobs are kept in a folder: an interrupted call continues with the next one. A call for some
examples leaves the figures of the others in the results as they are.
"""

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean, stdev
from tempfile import TemporaryDirectory
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from app.spec.data.environments.environment import EnvironmentData
from app.spec.job import parse_job
from benchmarks.machine import RESULTS, format_claim, is_within_bound, write_results
from examples.demo import run_service
from examples.gate_runs import gate_arguments, to_claim, train_job
from examples.reload import network_class
from graftwerk import Client, Job
from graftwerk.specs import read_spec
from workers.environments.build import EVALUATION_STREAM, build_environments
from workers.environments.evaluation import run_episodes

EXAMPLES = Path(__file__).parent
SEEDS = range(5)
METRIC = "val/return"
EPISODES = 100
FIRST_TEST_SEED = 1_000_000  # those of other episodes than a job is evaluated with


@dataclass(frozen=True, slots=True)
class ReturnGate:
    """An example, and the mean return that it must reach."""

    example: str
    bound: float
    source: str  # of the bound


GATES = (
    ReturnGate("rl/pendulum-sac", -160, "RL Zoo: -157.0 after 20,000 steps"),
    ReturnGate("rl/pendulum-td3", -160, "RL Zoo: -151.9 after 20,000 steps"),
    ReturnGate("rl/pendulum-dynamics", -160, "as by name"),
    ReturnGate("rl/cartpole-dqn", 475, "Gymnasium: solved"),
    ReturnGate("rl/cartpole-ppo", 475, "Gymnasium: solved"),
    ReturnGate("rl/cartpole-reinforce", 475, "Gymnasium: solved"),
    ReturnGate("rl/mountain-car-td3", 90, "Gymnasium: solved"),
    ReturnGate("rl/acrobot-ppo", -100, "Gymnasium: solved"),
)

Run = Mapping[str, Any]  # of one seed


def run_seed(gate: ReturnGate, seed: int, client: Client) -> dict[str, Any]:
    """Train an example with a seed and return its figures. Raises `SystemExit` if the job fails."""
    spec = read_spec(EXAMPLES / f"{gate.example}.json")
    began = time.monotonic()
    job = train_job(client, spec | {"training": spec["training"] | {"seed": seed}})
    seconds, result = time.monotonic() - began, job.document["result"]
    with TemporaryDirectory() as folder:
        policy = download_best(job, Path(folder))
    return {
        "seed": seed,
        "return": round(mean_return(job, policy, FIRST_TEST_SEED + seed), 2),
        "best_step": result["best"]["step"],
        "last_return": round(result["values"][METRIC], 2),
        "steps": result["step"],
        "seconds": round(seconds, 1),
    }


def download_best(job: Job, folder: Path) -> nn.Module:
    """Return the policy of a job's best checkpoint, built by its own file and without the service's code."""
    weights, model = job.download(folder, ["weights.safetensors", "model.py"])
    policy = network_class(model, "Policy")()
    policy.load_state_dict(load_file(weights))
    return policy.eval()


def mean_return(job: Job, policy: nn.Module, seed: int) -> float:
    """Return what a policy gains in an episode of the job's environment: the mean of `EPISODES` episodes."""
    data = parse_job(job.document["spec"]).data
    assert isinstance(data, EnvironmentData)  # noqa: S101 - every gate is of a job in an environment

    def act(observation: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            return {data.action: policy(observation)}

    results = run_episodes(build_environments(data, EPISODES, seed, EVALUATION_STREAM), act, EPISODES, data.action)
    assert results is not None  # noqa: S101 - nothing stops it
    return fmean(results.returns)


def summarize(gate: ReturnGate, runs: Sequence[Run]) -> dict[str, Any]:
    """Return the figures of an example: mean and spread of the returns over its seeds."""
    returns = [run["return"] for run in runs]
    return {
        "example": gate.example,
        "bound": gate.bound,
        "bound_source": gate.source,
        "mean": round(fmean(returns), 2),
        "spread": round(stdev(returns), 2) if len(returns) > 1 else None,  # standard deviation over the seeds
        "runs": list(runs),
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
    }


def claim_of(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the figures of an example as a claim of the results."""
    spread = "" if figures["spread"] is None else f" ± {figures['spread']:g}"
    what = f"{figures['example']}: mean return of {len(figures['runs'])} seeds{spread}"
    return to_claim(what, figures["mean"], figures["bound"])


def with_earlier_figures(figures: Mapping[str, Any], chosen: Sequence[ReturnGate]) -> list[dict[str, Any]]:
    """Return the figures by the order of the gates; of those that are not chosen, those of the results so far."""
    written = RESULTS / "returns.json"
    earlier = json.loads(written.read_text())["examples"] if written.exists() else []
    asked = {gate.example for gate in chosen}
    known = {each["example"]: each for each in earlier if each["example"] not in asked} | dict(figures)
    return [known[gate.example] for gate in GATES if gate.example in known]


def main(names: Sequence[str] | None = None) -> int:
    """Run the gates; returns 1 if one is missed."""
    parser = gate_arguments(__doc__)
    parser.add_argument("examples", nargs="*", metavar="EXAMPLE", help="default: all of them")
    arguments = parser.parse_args(names)
    folder: Path = arguments.folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    gates = [gate for gate in GATES if not arguments.examples or gate.example in arguments.examples]
    if unknown := set(arguments.examples) - {gate.example for gate in GATES}:
        parser.error(f"no such example: {', '.join(sorted(unknown))}")
    done = folder / "returns.json"
    runs: dict[str, Any] = json.loads(done.read_text()) if done.exists() and not arguments.again else {}
    figures = {}
    os.environ["GRAFTWERK_RATE_LIMIT"] = ""
    with run_service(folder / "service") as client:
        for gate in gates:
            for seed in SEEDS:
                name = f"{gate.example} seed {seed}"
                if name not in runs:
                    runs[name] = run_seed(gate, seed, client)
                    done.write_text(json.dumps(runs, indent=2))
                    sys.stdout.write(f"{name}: {runs[name]['return']:.1f} in {runs[name]['seconds']:.0f} s\n")
                    sys.stdout.flush()
            figures[gate.example] = summarize(gate, [runs[f"{gate.example} seed {seed}"] for seed in SEEDS])
            sys.stdout.write(format_claim(claim_of(figures[gate.example])) + "\n")
    examples = with_earlier_figures(figures, gates)
    claims = list(map(claim_of, examples))
    write_results("returns", {"examples": examples}, claims)
    return 0 if all(map(is_within_bound, claims)) else 1


if __name__ == "__main__":
    sys.exit(main())
