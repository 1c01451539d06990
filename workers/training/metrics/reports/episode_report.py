"""The report of a network that acts in an environment: the returns of its episodes, and one of them step by step."""

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from app.spec.data.environments.component_names import ComponentNames
from workers.environments.evaluation import EpisodeResults
from workers.training.metrics.reports.classification_report import REPORT_VERSION

MAX_COMPONENTS = 32  # of an observation or an action that are kept
DIGITS = 6  # significant ones of the numbers of the recorded episode


def episode_report(step: int, results: EpisodeResults, names: ComponentNames) -> dict[str, Any]:
    """Return the report of an evaluation after `step`, as JSON: see `docs/report.md`.

    The standard deviation is that of the episodes played (divided by their number). Of the recorded episode there is
    one observation more than there are actions: the one after the last step.
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
        "recorded": _recorded_episode(results, names),
    }
    return {"version": REPORT_VERSION, "step": step, "rows": 0, "heads": [], "episodes": episodes}


def _recorded_episode(results: EpisodeResults, names: ComponentNames) -> dict[str, Any]:
    episode, length = results.recorded, results.lengths[0]
    kept = len(episode.rewards)
    observations, actions = (_rows(values) for values in (episode.observations, episode.actions))
    notes = [f"of its {length:,} steps, the first {kept:,} are kept"] if length > kept else []
    for what, rows in (("an observation", observations), ("an action", actions)):
        if rows.ndim == 2 and (width := rows.shape[1]) > MAX_COMPONENTS:
            notes.append(f"of the {width:,} numbers of {what}, the first {MAX_COMPONENTS} are kept")
    return {
        "episode": 0,
        "return": results.returns[0],
        "length": length,
        "terminated": results.terminated[0],
        "observations": _numbers(observations),
        "actions": _numbers(actions),
        "rewards": _numbers(episode.rewards),
        "observation_names": _first(names.observation),
        "action_names": _first(names.action),
        "notes": notes,
    }


def _rows(values: Tensor) -> Tensor:
    """Return (T, numbers) of values of any shape per step; (T) of one number per step."""
    return values if values.ndim == 1 else values.flatten(1)


def _numbers(values: Tensor) -> list[Any]:
    """Return nested lists of integers, or of numbers rounded to as many digits as a picture can show."""
    if values.ndim > 1:
        return [_numbers(each) for each in values[:, :MAX_COMPONENTS]]
    return [_rounded(value) if isinstance(value, float) else value for value in values.tolist()]


def _rounded(value: float) -> float | None:
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _first(names: Sequence[str] | None) -> list[str] | None:
    return list(names[:MAX_COMPONENTS]) if names is not None else None
