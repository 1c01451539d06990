"""The environment of a job before it is stepped: whether it can be built, its buffer in bytes, and words for both."""

from collections.abc import Iterator
from math import prod
from typing import Any

from app.errors import InvalidInput, Problem
from app.spec.base import MAX_INT64
from app.spec.data.columns import Column
from app.spec.data.environments.environment import EnvironmentData, environment_schema
from app.spec.data.environments.experience import ReplayExperience, RolloutExperience
from workers.environments.dynamics_networks import build_dynamics

ITEM_BYTES = {"float32": 4, "int64": 8}


def transition_bytes(data: EnvironmentData) -> int:
    """Return the bytes of one transition in the buffer: one value of every column."""
    return sum(map(_value_bytes, environment_schema(data).columns))


def experience_bytes(data: EnvironmentData) -> int:
    """Return the bytes of the buffer when it is full."""
    return transition_bytes(data) * data.kept_transitions


def _value_bytes(column: Column) -> int:
    return ITEM_BYTES[column.dtype] * prod(column.shape)


def buffer_problem(data: EnvironmentData, available: int, detail: str) -> Problem:
    """Return the problem of a buffer that does not fit into the memory, of which `available` bytes are left for it."""
    fitting = min(MAX_INT64, max(0, available) // transition_bytes(data))
    if isinstance(data.experience, ReplayExperience):
        rounded = fitting - fitting % data.copies
        hint = f"a capacity of {rounded:,} would fit" if rounded > 0 else "make the network smaller"
        return Problem("/data/experience/capacity", "too_much_memory", detail, hint)
    if isinstance(data.experience, RolloutExperience):
        steps = fitting // data.copies
        hint = f"{steps:,} steps of each copy would fit" if steps > 0 else "use fewer copies"
        return Problem("/data/experience/steps", "too_much_memory", detail, hint)
    hint = "play fewer episodes, or shorter ones: the wrapper TimeLimit sets their length"
    return Problem("/data/experience/episodes", "too_much_memory", detail, hint)


def dynamics_problems(data: EnvironmentData) -> Iterator[Problem]:
    """Yield why an environment of nodes cannot be built: shapes, types and parameters; names have been checked."""
    if data.dynamics is not None:
        try:
            build_dynamics(data.dynamics)
        except InvalidInput as error:
            yield from (problem.with_prefix("/data/dynamics") for problem in error.problems)


def describe_experience(data: EnvironmentData) -> dict[str, Any]:
    """Return what the job learns from and what it is evaluated on, in the form of splits of rows."""
    experience = data.experience
    where = f"{data.name or 'the environment of the job'}"
    copies = f" in {data.copies} copies" if data.copies > 1 else ""
    how = f"{experience.episodes} episodes of {where}{copies} in each step" if experience.kind == "episodes" else ""
    if isinstance(experience, ReplayExperience):
        how = f"drawn from the last {experience.capacity:,} transitions of {where}{copies}"
    elif isinstance(experience, RolloutExperience):
        how = f"rollouts of {experience.steps:,} steps of {where}{copies}, each passed {experience.epochs} times"
    evaluated = f"{data.episodes:,} episodes of {where}, played without exploration"
    return {"train": {"rows": None, "how": how}, "validation": {"rows": None, "how": evaluated}}
