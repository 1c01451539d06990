"""The buffer of a job in an environment: its bytes, and what would fit."""

from typing import Any

import pytest
import torch

from app.spec.data.environments.environment import EnvironmentData, environment_schema
from app.spec.job import parse_job
from tests.app.spec.data.environments.acting_jobs import continuous_job, discrete_job
from tests.workers.jobs import LIMITS
from workers.children.inspect import inspect_job
from workers.training.validation.batch_sizes import BatchSizes, training_batches
from workers.training.validation.experience import experience_bytes


def environment_of(document: dict[str, Any]) -> EnvironmentData:
    data = parse_job(document).data
    assert isinstance(data, EnvironmentData)
    return data


@pytest.mark.parametrize(
    "document",
    [
        continuous_job({"wrappers": [{"kind": "FrameStack", "frames": 2}]}),
        discrete_job({"copies": 4}),
        discrete_job({"name": "FrozenLake-v1", "experience": "replay"}),
        discrete_job({"experience": {"kind": "episodes", "episodes": 2}}),
    ],
)
def test_a_buffer_is_as_large_as_its_tensors(document: dict[str, Any]) -> None:
    data = environment_of(document)
    tensors = [
        torch.empty(data.kept_transitions, *column.shape, dtype=getattr(torch, column.dtype))
        for column in environment_schema(data).columns
    ]
    assert experience_bytes(data) == sum(each.nbytes for each in tensors)


def test_a_buffer_is_part_of_the_memory() -> None:
    small, large = (
        inspect_job(continuous_job({"experience": {"kind": "replay", "capacity": size}}), None, LIMITS)
        for size in (1000, 100_000)
    )
    row = 4 * (3 + 1 + 1 + 3 + 1)
    assert large.report["memory"]["experience"] == 100_000 * row
    assert large.report["memory"]["total"] - small.report["memory"]["total"] == 99_000 * row


@pytest.mark.parametrize(
    ("data", "pointer", "hint"),
    [
        ({"experience": {"kind": "replay", "capacity": 10**9}}, "/data/experience/capacity", "would fit"),
        (
            {"experience": {"kind": "episodes", "episodes": 100_000}, "wrappers": {"kind": "FrameStack", "frames": 99}},
            "/data/experience/episodes",
            "play fewer episodes",
        ),
    ],
)
def test_a_buffer_beyond_the_memory_is_refused(data: dict[str, Any], pointer: str, hint: str) -> None:
    problems = inspect_job(continuous_job(data), None, LIMITS).problems
    [problem] = [each for each in problems if each.code == "too_much_memory"]
    assert problem.pointer == pointer
    assert hint in problem.hint


def test_the_capacity_of_a_hint_fits() -> None:
    huge = inspect_job(continuous_job({"experience": {"kind": "replay", "capacity": 10**9}}), None, LIMITS)
    fitting = int(huge.problems[0].hint.split()[3].replace(",", ""))
    assert (
        inspect_job(continuous_job({"experience": {"kind": "replay", "capacity": fitting}}), None, LIMITS).problems
        == ()
    )
    more = {"kind": "replay", "capacity": fitting + 1}
    assert inspect_job(continuous_job({"experience": more}), None, LIMITS).problems


@pytest.mark.parametrize(
    ("document", "sizes"),
    [
        (continuous_job(), BatchSizes(1000, 32, 32)),
        (discrete_job(batch_size=48), BatchSizes(64, 48, 16)),
        (discrete_job({"experience": "episodes"}), BatchSizes(4000, 4000, 4000)),
    ],
)
def test_the_sizes_of_batches(document: dict[str, Any], sizes: BatchSizes) -> None:
    job = parse_job(document)
    assert isinstance(job.data, EnvironmentData)
    assert training_batches(job, environment_schema(job.data)) == sizes


def test_a_rollout_that_leaves_one_transition_alone_is_told_to_batch_norm() -> None:
    document = discrete_job({"experience": {"kind": "rollout", "steps": 65, "normalize_advantage": False}})
    norm = {"id": "norm", "kind": "BatchNorm1d", "inputs": ["observation"]}
    nodes = [
        norm,
        *({**each, "inputs": ["norm"]} if each["id"] == "hidden" else each for each in document["model"]["nodes"]),
    ]
    [problem] = inspect_job(document | {"model": document["model"] | {"nodes": nodes}}, None, LIMITS).problems
    assert (problem.pointer, problem.code) == ("/training/batch_size", "batch_of_one")
