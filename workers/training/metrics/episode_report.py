"""The report of a network that acts in an environment: the returns of its episodes, and one of them step by step."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from app.spec.data.environments.component_names import ComponentNames
from workers.environments.episodes import EpisodeResults, RecordedEpisode
from workers.training.metrics.classification_report import REPORT_VERSION

MAX_STEPS = 1000  # of the recorded episode that are kept
MAX_COMPONENTS = 32  # of an observation that are kept
DIGITS = 6  # significant ones of the numbers of the recorded episode


def episode_report(step: int, results: EpisodeResults, names: ComponentNames) -> dict[str, Any]:
    """Return the report of an evaluation after `step`, as JSON: see `docs/report.md`.

    The standard deviation is that of the episodes played (divided by their number).
    """
    returns = torch.tensor(results.returns, dtype=torch.float64)
    episodes = {
        "count": len(results.returns),
        "return": {
            "mean": float(returns.mean()),
            "std": float(returns.std(correction=0)),
            "min": float(returns.min()),
            "max": float(returns.max()),
        },
        "returns": list(results.returns),
        "lengths": list(results.lengths),
        "terminated": sum(results.terminated),
        "means": {name: value if math.isfinite(value) else None for name, value in results.means.items()},
        "recorded": _recorded(results.recorded, names),
    }
    return {"version": REPORT_VERSION, "step": step, "rows": 0, "heads": [], "episodes": episodes}


def _recorded(episode: RecordedEpisode, names: ComponentNames) -> dict[str, Any]:
    """Return one episode: T actions and rewards, and T + 1 observations, the last of which has no answer."""
    length, observations = len(episode.rewards), episode.observations.reshape(len(episode.observations), -1)
    width = observations.shape[1]
    notes = [f"of its {length:,} steps, the first {MAX_STEPS:,} are kept"] if length > MAX_STEPS else []
    notes += [f"of the {width:,} numbers of an observation, the first {MAX_COMPONENTS} are kept"] * (
        width > MAX_COMPONENTS
    )
    return {
        "episode": 0,
        "return": float(episode.rewards.double().sum()),
        "length": length,
        "terminated": episode.terminated,
        "observations": _numbers(observations[: MAX_STEPS + 1, :MAX_COMPONENTS]),
        "actions": _numbers(episode.actions[:MAX_STEPS]),
        "rewards": _numbers(episode.rewards[:MAX_STEPS]),
        "observation_names": _first(names.observation),
        "action_names": _first(names.action),
        "notes": notes,
    }



def _first(names: Sequence[str] | None) -> list[str] | None:
    return list(names[:MAX_COMPONENTS]) if names is not None else None


def _numbers(values: Tensor) -> list[Any]:
    """Return nested lists of integers, or of numbers rounded to as many digits as a picture can show."""
    if not values.is_floating_point():
        return list(values.tolist())
    if values.ndim == 1:
        return [_rounded(value) for value in values.tolist()]
    return [_numbers(each) for each in values]


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
